"""SGLang's cache: one pool of token slots, allocated at the start."""

import dataclasses
from dataclasses import dataclass
from fractions import Fraction

from ..units import dtype as as_dtype, whole_number
from .base import Capacity, Engine, counted, flag
from .gpus import STATES_READ, can_count, can_split, fp8_indexer, split_state


@dataclass(frozen=True)
class SGLang(Engine):
    """What `batch` sequences of `context` tokens take of SGLang's pools, over all `tp` × `pp` GPUs.

    A slot for each token, in pages of page_size. Beside full layers, windowed ones have a pool of their own
    with swa_full_tokens_ratio as many slots, however small the window; alone they have a slot for each token.
    tp splits the KV heads and, when they run out, copies them; the latent and an indexer's keys are on every
    GPU. pp splits the layers. An indexer's key is kept in fp8, with an fp32 scale for 128 numbers.

    A recurrent state is kept in float32 unless the config names a dtype, of a convolution the last kernel - 1
    inputs in bfloat16. With prefix_caching (the radix cache) a running sequence needs 3 slots for its states,
    else one.

    From SGLang 0.5.23: srt/model_executor/pool_configurator.py (bytes of a token, windows),
    srt/mem_cache/kv_cache_configurator.py (slots of a state), srt/configs/mamba_utils.py (states). Memory
    kept together (enable_unified_memory) and data-parallel attention are not counted.
    """

    page_size: int = 1
    tp: int = 1
    pp: int = 1
    swa_full_tokens_ratio: float = 0.8
    prefix_caching: bool = True

    name = "sglang"
    dtypes = ("bf16", "fp16", "fp8")
    counts_indexer = True

    def __post_init__(self):
        for argument in ("page_size", "tp", "pp"):
            whole_number(argument, getattr(self, argument))
        flag("prefix_caching", self.prefix_caching)
        ratio = self.swa_full_tokens_ratio
        if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio <= 1:
            raise ValueError(f"swa_full_tokens_ratio must be above 0 and at most 1, not {ratio!r}")

    @property
    def gpus(self) -> int:
        return self.tp * self.pp

    def tokens(self, layer, context, batch, layout):
        slots = -(-context * self._share(layer, layout) // 1)
        return -(-slots // self.page_size) * self.page_size

    def bytes_per_token(self, layout, dtype="bf16"):
        dtype = as_dtype(dtype)
        self.can_serve(layout)
        self.can_store(dtype)
        return int(self._cell(layout, dtype))

    def _cell(self, layout, dtype) -> Fraction:
        """Bytes of a full layer's slot in every layer, with the part of a slot that windowed ones have."""
        kinds = counted(layout).items()
        each = (n * self.token_bytes(layer, layout, dtype) * self._share(layer, layout) for layer, n in kinds)
        return sum(each, Fraction(0))

    def _share(self, layer, layout) -> Fraction:
        """Slots of the layer's pool for each slot of a full layer."""
        mixed = any(one.window is None for one in layout.kinds if one.elements)
        return Fraction(str(self.swa_full_tokens_ratio)) if layer.window and mixed else Fraction(1)

    def token_bytes(self, layer, layout, dtype):
        heads = max(1, layer.n_kv_heads // self.tp)
        each = dtype.nbytes(layer.elements // layer.n_kv_heads)
        return self.tp * (heads * each + fp8_indexer(layer))

    def state_bytes(self, layer, dtype):
        slots = 3 if self.prefix_caching and layer.state else 1
        each = 0
        for one in layer.state:
            kept, positions = (one.named or "fp32", 1) if one.kernel is None else ("bf16", one.kernel - 1)
            each += as_dtype(kept).nbytes(split_state(one, self.tp) * positions)
        return slots * each

    def bytes_read(self, layout, context, batch=1, dtype="bf16", source_len=None):
        # Of a state's slots a step reads one.
        once = dataclasses.replace(self, prefix_caching=False)
        return super(SGLang, once).bytes_read(layout, context, batch, dtype, source_len)

    def capacity(self, layout, available, context, dtype="bf16") -> Capacity:
        dtype = as_dtype(dtype)
        self.can_serve(layout)
        self.can_store(dtype)
        if any(layer.state for layer in layout.kinds):
            raise ValueError(
                "engine sglang: how it shares memory between states and tokens is not counted here"
            )
        cell = self._cell(layout, dtype)
        if not cell:
            raise ValueError(f"engine sglang: {layout.name} keeps no tokens, so no capacity in tokens")
        stage = cell * -(-layout.n_layers // self.pp) / layout.n_layers
        tokens = int(available * self.tp // stage) // self.page_size * self.page_size
        return Capacity(tokens // self.page_size, self.page_size, tokens / context, tokens)

    def can_serve(self, layout):
        super().can_serve(layout)
        if layout.needs_source_len:
            raise ValueError("engine sglang: cross attention is not counted here")
        can_split(layout, self.tp, self.pp)
        can_count(self.name, layout, STATES_READ)
        if any(layer.kind == "chunked" for layer in layout.kinds):
            raise ValueError("engine sglang: chunked attention has a pool whose size is not counted here")
