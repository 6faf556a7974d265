"""vLLM's paged cache: blocks, groups of layers, several GPUs."""

from collections import Counter
from dataclasses import dataclass

from ..layouts import LayerKV
from ..units import dtype as as_dtype, unknown, whole_number
from .base import Capacity, Engine, Row, counted, expanded, flag
from .gpus import STATES_READ, can_count, can_split, fp8_indexer, split_state
from .pool import Layers, Pool, grouped


@dataclass(frozen=True)
class VLLM(Engine):
    """What vLLM lets one sequence claim when `context` is its max-model-len, over all `tp` GPUs.

    Blocks of block_size tokens. A windowed layer frees what left its window only after a step, so
    it may hold W − 1 tokens, those in flight (two batches of max_num_batched_tokens with
    async_scheduling), and one block more, for a window may begin inside a block. Layers of
    different needs form groups of equal size that draw on one pool of equal blocks; a group that
    lacks layers still takes whole blocks. With hybrid off, windowed layers keep every token;
    None is vLLM's own choice: off for chunked attention, else on. Tensor parallelism (tp) splits the
    KV heads and, when they run out, copies them; the latent and an indexer's keys are on every GPU.
    Pipeline parallelism splits the layers over pp times as many.

    kv_cache_dtype is the flag's value: auto (the dtype asked for), bfloat16, float16, fp8, nvfp4 (an fp8
    scale for 16 numbers), fp8_per_token_head, int8_per_token_head or int4_per_token_head (an fp32 scale for
    each key and each value of a head), fp8_ds_mla (656 bytes per token: 512 fp8 values, 4 fp32 scales, 64
    bf16). An indexer's key is kept in fp8, with an fp32 scale for 128 numbers.

    mla_absorbed: attention reads the latent itself (False: VLLM_MLA_DISABLE, which keeps keys and values of
    every query head, values padded to the keys' width).

    Recurrent states are kept in the model's dtype, or in the one that its config names, and of a convolution
    the last kernel - 1 inputs. Beside attention a state is a block of the same pool: blocks hold as many
    tokens, in 16s (128s with a latent), as make them no smaller than the state. A sequence takes one block of
    each group of states, or with prefix_caching two and `checkpoints` more; None is vLLM 0.33's own: 1 for
    Mamba 2, else 0. Gated delta nets take 1 too, and blocks in 64s, where FlashInfer runs their prefill (on
    Hopper and Blackwell); up to vLLM 0.26 nothing does. A source sequence (Whisper's) takes blocks too.

    From vLLM 0.33.0: v1/kv_cache_interface.py (the specs' max_memory_usage_bytes),
    v1/core/kv_cache_planning.py (unify_kv_cache_spec_page_size, _get_kv_cache_groups_uniform_page_size),
    v1/core/kv_cache_utils.py (get_max_concurrency_for_kv_cache_config), platforms/interface.py (blocks
    beside states), config/vllm.py (max_in_flight_tokens), config/model.py (get_num_kv_heads),
    layers/mamba/mamba_utils.py (states, and how GPUs share them), layers/mamba/mamba_mixer2.py and
    layers/mamba/gdn/qwen_gdn_linear_attn.py (checkpoints),
    v1/attention/backends/triton_attn.py, layers/attention/mla_attention.py and utils/torch_utils.py (packed
    sizes), models/deepseek_v2.py (expanded keys and values; the indexer's cache); model_executor/models/
    registry.py (architectures; those it lacks are `unserved` in their records).
    Its default memory layout (LBNHC) is taken; the one null block of the pool is not counted.
    """

    block_size: int = 16
    tp: int = 1
    pp: int = 1
    max_num_batched_tokens: int = 2048
    async_scheduling: bool = True
    hybrid: bool | None = None
    kv_cache_dtype: str = "auto"
    prefix_caching: bool = True
    checkpoints: int | None = None
    mla_absorbed: bool = True

    name = "vllm"
    dtypes = ("bf16", "fp16", "fp32", "fp8")
    counts_indexer = True
    # Bytes of 16 numbers, and of the scales that each head's key and value bring along.
    _STORED = {
        "bfloat16": (32, 0), "float16": (32, 0), "fp8": (16, 0), "fp8_e4m3": (16, 0), "fp8_e5m2": (16, 0),
        "nvfp4": (9, 0), "fp8_per_token_head": (16, 8), "int8_per_token_head": (16, 8),
        "int4_per_token_head": (8, 8),
    }  # fmt: skip

    def __post_init__(self):
        for argument in ("block_size", "tp", "pp", "max_num_batched_tokens"):
            whole_number(argument, getattr(self, argument))
        known = ["auto", "fp8_ds_mla", *self._STORED]
        for argument in ("async_scheduling", "prefix_caching", "mla_absorbed"):
            flag(argument, getattr(self, argument))
        if self.hybrid is not None:
            flag("hybrid", self.hybrid)
        if self.checkpoints is not None:
            whole_number("checkpoints", self.checkpoints, least=0)
        if self.kv_cache_dtype not in known:
            raise unknown("kv_cache_dtype", self.kv_cache_dtype, known)

    @property
    def gpus(self) -> int:
        return self.tp * self.pp

    def stored_as(self, dtype="bf16"):
        ours = {"auto": super().stored_as(dtype), "bfloat16": "bf16", "float16": "fp16"}
        return ours.get(self.kv_cache_dtype, self.kv_cache_dtype)

    def seen(self, layout):
        return layout if self.mla_absorbed else expanded(layout, pad_values=True)

    # The pool

    def pool(self, layout, dtype) -> Pool:
        """How the layers' blocks are laid out; the layout is one that `can_serve` takes."""
        layers, states = counted(layout), _states(layout) if _mixed(layout) else {}
        needs = {layer: self._need(layer, layout) for layer in layers}
        token = {layer: self.token_bytes(layer, layout, dtype) for layer in layers}
        block_size = self._block_size(layers, states, layout, dtype)
        if len(set(needs.values())) > 1 or states:
            largest = max(block_size * each for each in token.values())
            if not any(layer.kind == "latent" and largest % (block_size * token[layer]) for layer in layers):
                return self._groups(layers, states, needs, token, block_size, dtype)
            # A latent's page cannot be padded: the windows are given up.
            if any(kind == "chunked" for kind, _ in needs.values()):
                raise ValueError("engine vllm cannot page these latent layers together with chunked ones")
            needs = dict.fromkeys(layers, ("full", None))
        buckets = (
            Layers(layer, n, needs[layer], block_size, block_size * token[layer])
            for layer, n in layers.items()
        )
        return Pool(tuple(buckets))

    def _groups(self, layers, states, needs, token, block_size, dtype) -> Pool:
        """Layers alike in need and shape share their groups, whatever their window says of attention."""
        if self.pp > 1:
            raise ValueError(
                "engine vllm with pp above 1 is counted only for layers that need the same of a token"
            )
        largest = max(block_size * each for each in token.values())
        buckets: dict[tuple, Layers] = {}
        for layer, n in layers.items():
            # A smaller page takes more tokens, or, where no whole number of them fills it, padding.
            page = block_size * token[layer]
            times = 1 if largest % page else largest // page
            shape = (needs[layer], self._heads(layer), layer.head_dim, layer.v_head_dim)
            before = buckets[shape].n_layers if shape in buckets else 0
            first = buckets[shape].layer if before else layer
            buckets[shape] = Layers(first, before + n, needs[layer], times * block_size, times * page)
        kept = [
            Layers(layer, n, ("state", None), 0, self.state_bytes(layer, dtype))
            for layer, n in states.items()
        ]
        return grouped([*buckets.values(), *kept])

    def _block_size(self, layers, states, layout, dtype) -> int:
        """Tokens in a block: as asked for, or so many that no state is larger than the block."""
        if not states:
            return self.block_size
        token = max(self.token_bytes(layer, layout, dtype) for layer in layers)
        step = max(self.block_size, 128 if any(layer.kind == "latent" for layer in layers) else 16)
        state = max(self.state_bytes(layer, dtype) for layer in states)
        return step * max(1, -(-state // (step * token)))

    def _need(self, layer, layout):
        """What decides the blocks a layer asks for: all tokens, or a kind of window."""
        if layer.window is None or not self._windows(layout):
            return ("full", None)
        return (layer.kind, layer.window)

    def _windows(self, layout) -> bool:
        """Whether windowed layers free what they cannot see any more."""
        needs = {(layer.kind, layer.window) for layer in layout.layers if layer.elements and layer.window}
        if len(needs) <= 1 and all(layer.window for layer in layout.layers if layer.elements):
            return True  # nothing hybrid about it: all layers have the same window
        if self.hybrid is None:
            return not any(kind == "chunked" for kind, _ in needs)
        return self.hybrid

    def _blocks(self, one: Layers, context) -> int:
        """Blocks that a sequence of `context` tokens takes of each group of such layers."""
        (kind, window), block_size = one.need, one.block_size
        in_flight = self.max_num_batched_tokens * (2 if self.async_scheduling else 1)
        if kind == "state":
            mamba_2 = any(tensor.groups for tensor in one.layer.state)
            more = mamba_2 if self.checkpoints is None else self.checkpoints
            return 2 + more if self.prefix_caching else 1
        if kind == "sliding":
            return -(-min(window - 1 + in_flight, context) // block_size) + 1
        if kind == "chunked":
            return -(-min(window + in_flight, context) // block_size)
        return -(-context // block_size)

    # What the layers take

    def token_rows(self, layout, context, batch, dtype):
        pool = self.pool(layout, dtype)
        return [self._row(pool, one, context, batch) for one in pool.buckets if one.need[0] != "state"]

    def state_rows(self, layout, batch, dtype):
        if not _mixed(layout):
            return super().state_rows(layout, batch, dtype)
        pool = self.pool(layout, dtype)
        return [self._row(pool, one, 1, batch) for one in pool.buckets if one.need[0] == "state"]

    def _row(self, pool, one, context, batch) -> Row:
        blocks, note = self._blocks(one, context), pool.note(one)
        page = pool.page or one.page
        layers = one.n_layers if pool.size is None else pool.groups(one) * pool.size
        if one.need[0] == "state":
            note = f"{note}; a sequence takes {blocks} of them" if blocks > 1 else note
            return Row(one.layer, one.n_layers, 0, 0, batch * layers * blocks * page, note, "state")
        token = page // one.block_size
        return Row(
            one.layer, one.n_layers, blocks * one.block_size, token, batch * layers * blocks * page, note
        )

    def capacity(self, layout, available, context, dtype="bf16") -> Capacity:
        layout, dtype = self.seen(layout), as_dtype(dtype)
        self.can_serve(layout)
        self.can_store(dtype)
        pool = self.pool(layout, dtype)
        if not pool.buckets:
            raise ValueError(f"engine vllm: {layout.name} keeps no tokens, so no capacity in tokens")
        # The fullest of the pp stages decides; all tp GPUs of one are alike.
        stage = -(-pool.block_bytes * -(-layout.n_layers // self.pp) // layout.n_layers)
        blocks = available * self.tp // stage
        shared = pool.buckets if pool.size else pool.buckets[:1]  # else one table serves all
        taken = sum(pool.groups(one) * self._blocks(one, context) for one in shared)
        size = max(one.block_size for one in shared)
        return Capacity(blocks, size, blocks / taken, blocks * context // taken)

    def token_bytes(self, layer, layout, dtype):
        if self.kv_cache_dtype == "fp8_ds_mla":
            if layer.kind != "latent" or layer.k_elements != 576:
                raise ValueError("kv_cache_dtype fp8_ds_mla is for latents of 512 + 64 numbers per token")
            return self.tp * (656 + fp8_indexer(layer))
        width, scales = self._STORED.get(self.kv_cache_dtype, (16 * dtype.bytes, 0))
        values = layer.elements // layer.n_kv_heads
        return self.tp * (self._heads(layer) * (values * width // 16 + scales) + fp8_indexer(layer))

    def state_bytes(self, layer, dtype):
        # The cache's dtype is the model's where it is one that a model can have.
        model = dtype if dtype.name in ("bf16", "fp16", "fp32") else as_dtype("bf16")
        total = 0
        for one in layer.state:
            positions = 1 if one.kernel is None else one.kernel - 1
            total += as_dtype(one.named or model).nbytes(split_state(one, self.tp) * positions)
        return total

    def source_tokens(self, source_len):
        return -(-source_len // self.block_size) * self.block_size

    def source_token_bytes(self, layer, layout, dtype):
        return self.token_bytes(layer, layout, dtype)  # can_serve holds that the two are alike

    def _heads(self, layer):
        """KV heads on one GPU; a latent counts as one head, whole everywhere."""
        return max(1, layer.n_kv_heads // self.tp)

    # What it refuses

    def can_store(self, dtype):
        if self.kv_cache_dtype == "auto":
            super().can_store(dtype)

    def can_serve(self, layout):
        super().can_serve(layout)
        kept = [layer for layer in layout.layers if layer.elements]
        if layout.needs_source_len and any(layer.cross_elements != layer.elements for layer in layout.layers):
            raise ValueError(
                "engine vllm is counted only for cross attention beside attention of the same size in every "
                "layer, as Whisper has it"
            )
        can_split(layout, self.tp, self.pp)
        can_count(self.name, layout, STATES_READ | {"jamba", "zamba2", "olmo_hybrid"})
        if _mixed(layout) and any(layer.indexer for layer in layout.kinds):
            raise ValueError("engine vllm: an indexer's keys beside recurrent states are not counted here")
        if not self._windows(layout) and len({layer.window for layer in kept} - {None}) > 1:
            raise ValueError(
                "engine vllm cannot switch its hybrid manager off for windows of different sizes"
            )
        if not self._windows(layout) and all(layer.window for layer in kept):
            raise ValueError("engine vllm needs a full layer beside windows of different kinds")


def _states(layout) -> Counter[LayerKV]:
    """How many layers keep each state."""
    found: Counter[LayerKV] = Counter()
    for layer, n_layers in layout.kinds.items():
        if layer.state:
            found[LayerKV("state", state=layer.state)] += n_layers
    return found


def _mixed(layout) -> bool:
    """Whether recurrent states share the pool with tokens."""
    return any(layer.state for layer in layout.kinds) and any(layer.elements for layer in layout.kinds)
