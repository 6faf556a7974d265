"""vLLM's paged cache: blocks, groups of layers, tensor parallelism."""

import dataclasses
from dataclasses import dataclass

from ..units import unknown, whole_number
from .base import Engine, Row, counted, flag


@dataclass(frozen=True)
class VLLM(Engine):
    """What vLLM lets one sequence claim when `context` is its max-model-len, over all `tp` GPUs.

    Blocks of block_size tokens. A windowed layer frees what left its window only after a step, so
    it may hold W − 1 tokens, those in flight (two batches of max_num_batched_tokens with
    async_scheduling), and one block more, for a window may begin inside a block. Layers of
    different needs form groups of equal size that draw on one pool of equal blocks; a group that
    lacks layers still takes whole blocks. With hybrid off, windowed layers keep every token;
    None is vLLM's own choice: off for chunked attention, else on. Tensor parallelism splits the
    KV heads and, when they run out, copies them; the latent is on every GPU.

    kv_cache_dtype is the flag's value: auto (the dtype asked for), bfloat16, float16, fp8,
    fp8_per_token_head, int8_per_token_head or int4_per_token_head (an fp32 scale for each key and each
    value of a head), fp8_ds_mla (656 bytes per token: 512 fp8 values, 4 fp32 scales, 64 bf16).

    A model of recurrent layers alone keeps its states in the model's dtype, or in the one that its
    config names, and of a convolution the last kernel - 1 inputs. A source sequence (Whisper's) takes
    blocks too.

    From vLLM 0.33.0: v1/kv_cache_interface.py (the specs' max_memory_usage_bytes),
    v1/core/kv_cache_planning.py (unify_kv_cache_spec_page_size, _get_kv_cache_groups_uniform_page_size),
    config/vllm.py (max_in_flight_tokens), config/model.py (get_num_kv_heads),
    layers/mamba/mamba_utils.py (states), v1/attention/backends/triton_attn.py and
    layers/attention/mla_attention.py (packed sizes); model_executor/models/registry.py (architectures;
    those it lacks are `unserved` in their records).
    Its default memory layout (LBNHC) is taken; the one null block of the pool is not counted.
    """

    block_size: int = 16
    tp: int = 1
    max_num_batched_tokens: int = 2048
    async_scheduling: bool = True
    hybrid: bool | None = None
    kv_cache_dtype: str = "auto"

    name = "vllm"
    dtypes = ("bf16", "fp16", "fp32", "fp8")
    # Bytes of one number, and of the scales that each head's key and value bring along.
    _STORED = {
        "bfloat16": (2, 0), "float16": (2, 0), "fp8": (1, 0), "fp8_e4m3": (1, 0), "fp8_e5m2": (1, 0),
        "fp8_per_token_head": (1, 8), "int8_per_token_head": (1, 8), "int4_per_token_head": (0.5, 8),
    }  # fmt: skip

    def __post_init__(self):
        for argument in ("block_size", "tp", "max_num_batched_tokens"):
            whole_number(argument, getattr(self, argument))
        known = ["auto", "fp8_ds_mla", *self._STORED]
        flag("async_scheduling", self.async_scheduling)
        if self.hybrid is not None:
            flag("hybrid", self.hybrid)
        if self.kv_cache_dtype not in known:
            raise unknown("kv_cache_dtype", self.kv_cache_dtype, known)

    def stored_as(self, dtype="bf16"):
        ours = {"auto": super().stored_as(dtype), "bfloat16": "bf16", "float16": "fp16"}
        return ours.get(self.kv_cache_dtype, self.kv_cache_dtype)

    def token_rows(self, layout, context, batch, dtype):
        layers = counted(layout)
        needs = {layer: self._need(layer, layout) for layer in layers}
        pages = {layer: self.block_size * self.token_bytes(layer, layout, dtype) for layer in layers}
        if len(set(needs.values())) > 1:
            largest = max(pages.values())
            if not any(layer.kind == "latent" and largest % pages[layer] for layer in layers):
                return self._hybrid_rows(layers, needs, pages, context, batch)
            # A latent's page cannot be padded: the windows are given up.
            if any(kind == "chunked" for kind, _ in needs.values()):
                raise ValueError("engine vllm cannot page these latent layers together with chunked ones")
            needs = dict.fromkeys(layers, ("full", None))
        # One group: every layer has pages of its own size, and all share one block table.
        blocks = self._blocks(next(iter(needs.values())), context, self.block_size) if layers else 0
        return [self._row(layer, n, blocks, pages[layer], batch) for layer, n in layers.items()]

    def _hybrid_rows(self, layers, needs, pages, context, batch):
        """Groups of equal size over one pool of equal pages."""
        page = max(pages.values())
        # Layers alike in need and shape share their groups, whatever their window says of attention.
        buckets: dict[tuple, list] = {}
        for layer, n in layers.items():
            # A smaller page takes more tokens, or, where no whole number of them fills it, padding.
            tokens = self.block_size * (1 if page % pages[layer] else page // pages[layer])
            shape = (needs[layer], self._heads(layer), layer.head_dim, layer.v_head_dim)
            buckets.setdefault(shape, [layer, 0, tokens])[1] += n
        counts = [n for _, n, _ in buckets.values()]
        size = max(counts) if max(counts) < 1.5 * min(counts) else min(counts)
        rows = []
        for layer, n, block_size in buckets.values():
            blocks, groups = self._blocks(needs[layer], context, block_size), -(-n // size)
            row = self._row(layer, n, blocks, page, batch, block_size)
            note = f"{groups} group{'s' if groups > 1 else ''} of {size} layers"
            if unused := groups * size - n:
                note += f", room for {unused} more unused"
            if page % pages[layer]:
                note += f", pages padded from {pages[layer]:,} to {page:,} bytes"
            rows.append(dataclasses.replace(row, bytes=row.bytes // n * groups * size, note=note))
        return rows

    def _row(self, layer, n_layers, blocks, page, batch, block_size=None):
        block_size = block_size or self.block_size
        nbytes = batch * n_layers * blocks * page
        return Row(layer, n_layers, blocks * block_size, page // block_size, nbytes)

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

    def _blocks(self, need, context, block_size):
        kind, window = need
        in_flight = self.max_num_batched_tokens * (2 if self.async_scheduling else 1)
        if kind == "sliding":
            return -(-min(window - 1 + in_flight, context) // block_size) + 1
        if kind == "chunked":
            return -(-min(window + in_flight, context) // block_size)
        return -(-context // block_size)

    def token_bytes(self, layer, layout, dtype):
        if self.kv_cache_dtype == "fp8_ds_mla":
            if layer.kind != "latent" or layer.k_elements != 576:
                raise ValueError("kv_cache_dtype fp8_ds_mla is for latents of 512 + 64 numbers per token")
            return self.tp * 656
        width, scales = self._STORED.get(self.kv_cache_dtype, (dtype.bytes, 0))
        values = layer.elements // layer.n_kv_heads
        return self.tp * self._heads(layer) * (int(values * width) + scales)

    def state_bytes(self, layer, dtype):
        # The cache's dtype is the model's where it is one that a model can have.
        model = dtype if dtype.name in ("bf16", "fp16", "fp32") else "bf16"
        return sum(one.nbytes(one.named or model, one.kernel and one.kernel - 1) for one in layer.state)

    def source_tokens(self, source_len):
        return -(-source_len // self.block_size) * self.block_size

    def source_token_bytes(self, layer, layout, dtype):
        return self.token_bytes(layer, layout, dtype)  # can_serve holds that the two are alike

    def _heads(self, layer):
        """KV heads on one GPU; a latent counts as one head, whole everywhere."""
        return max(1, layer.n_kv_heads // self.tp)

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
        if layout.n_heads and layout.n_heads % self.tp:
            raise ValueError(f"tp must divide n_heads: {layout.n_heads} query heads over {self.tp} GPUs")
        for heads in {layer.n_kv_heads for layer in kept if layer.kind != "latent"}:
            if heads % self.tp and self.tp % heads:
                raise ValueError(
                    f"tp must divide n_kv_heads or be a multiple of it: {heads} KV heads over {self.tp} GPUs"
                )
        states = any(layer.state for layer in layout.layers)
        if kept and states:
            raise ValueError(
                "engine vllm makes its blocks as large as a layer's recurrent state, in dtypes of its own; "
                "what that takes is not counted here: use ideal, transformers or llama.cpp for this model"
            )
        if states and self.tp > 1:
            raise ValueError(
                f"tp must be 1 for a model that keeps a state, not {self.tp}: how engine vllm splits it over "
                "GPUs is not counted here"
            )
        if not self._windows(layout) and len({layer.window for layer in kept} - {None}) > 1:
            raise ValueError(
                "engine vllm cannot switch its hybrid manager off for windows of different sizes"
            )
        if not self._windows(layout) and all(layer.window for layer in kept):
            raise ValueError("engine vllm needs a full layer beside windows of different kinds")
