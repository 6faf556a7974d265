"""How engines that serve on several GPUs share out a layout: what vLLM and SGLang have in common."""

from ..layouts import CacheLayout, LayerKV, StateTensor

# Model types whose states were read in both engines' code (vLLM's more stand in its policy), and those whose
# indexer keeps 128 fp8 numbers and a scale.
STATES_READ = frozenset(
    "falcon_h1 nemotron_h granitemoehybrid lfm2 lfm2_moe qwen3_next qwen3_5_text qwen3_5_moe_text kimi_linear"
    " mamba falcon_mamba mamba2".split()
)
INDEXERS_READ = frozenset(("deepseek_v32", "glm_moe_dsa"))


def can_count(engine: str, layout: CacheLayout, states: frozenset[str]) -> None:
    """Raise ValueError where a layer keeps what was not read in the engine's code; `states`: what was.

    A layout without an architecture is taken at its word.
    """
    kept = {
        "a state": states if any(layer.state for layer in layout.kinds) else None,
        "an indexer's key": INDEXERS_READ if any(layer.indexer for layer in layout.kinds) else None,
        "compressed entries": frozenset() if any(layer.compressed for layer in layout.kinds) else None,
    }
    for what, read in kept.items():
        known = read is None or (layout.architecture is None and read) or layout.architecture in read
        if not known:
            raise ValueError(
                f"engine {engine}: how it keeps {what} of {layout.architecture or 'a layer'} was not read; "
                "use ideal or transformers for this model"
            )


def can_split(layout: CacheLayout, tp: int, pp: int) -> None:
    """Raise ValueError where `tp` GPUs cannot share the heads or the states, or `pp` the layers."""
    if layout.n_heads and layout.n_heads % tp:
        raise ValueError(f"tp must divide n_heads: {layout.n_heads} query heads over {tp} GPUs")
    for heads in {one.n_kv_heads for one in layout.kinds if one.elements and one.kind != "latent"}:
        if heads % tp and tp % heads:
            raise ValueError(
                f"tp must divide n_kv_heads or be a multiple of it: {heads} KV heads over {tp} GPUs"
            )
    if pp > layout.n_layers:
        raise ValueError(f"pp must be at most the {layout.n_layers} layers, not {pp}")
    for state in {state for layer in layout.kinds for state in layer.state}:
        groups, each = state.groups or (0, 0)
        if (state.elements - groups * each) % tp or (groups % tp and groups > tp):
            raise ValueError(f"tp must divide a layer's recurrent state, and {tp} does not")


def split_state(state: StateTensor, tp: int) -> int:
    """Numbers of a state (at one position of a convolution) on all GPUs together.

    A Mamba 2 whose groups do not suffice for the GPUs keeps copies of them.
    """
    if state.groups is None or state.groups[0] % tp == 0:
        return state.elements
    groups, each = state.groups
    return state.elements + (tp - groups) * each


def fp8_indexer(layer: LayerKV) -> int:
    """Bytes of a token's key of an indexer: fp8, and an fp32 scale for 128 numbers."""
    return layer.indexer + 4 * -(-layer.indexer // 128)
