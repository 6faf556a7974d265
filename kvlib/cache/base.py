"""What every kind of cache shares: its tokens are counted, and its slots claimed, once for all layers."""

import math
import mmap
from contextlib import suppress

import torch

from ..attention import View, visible_span
from ..layouts import CacheLayout
from ..units import dtype as as_dtype, unknown, whole_number

TORCH_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def torch_dtype(dtype) -> torch.dtype:
    """The torch dtype of fp32, fp16 or bf16, by any of its names. Raises ValueError for another."""
    name = as_dtype(dtype).name
    if name not in TORCH_DTYPES:
        raise unknown("dtype", name, TORCH_DTYPES)
    return TORCH_DTYPES[name]


def zeros(*shape, dtype, device):
    """Zeroed memory for a cache; on Linux in huge pages, for finding small ones slows a CPU's reading.

    Zeros and not empty: what was never written must not turn a masked sum into nan.
    """
    nbytes = math.prod(shape) * dtype.itemsize
    if torch.device(device).type != "cpu" or not nbytes or not hasattr(mmap, "MADV_HUGEPAGE"):
        return torch.zeros(shape, dtype=dtype, device=device)
    memory = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel without them
        memory.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(memory, dtype=dtype).view(shape)


class CacheFull(ValueError):
    """More tokens than the cache was made for; it never grows on its own."""

    def __init__(self, tokens, capacity):
        super().__init__(f"{tokens} tokens do not fit a cache of capacity={capacity}; make it larger")


class Cache:
    """Keys and values of `batch` sequences, a storage for each layer, made from a layout.

    layout    what each layer keeps of a token; full and sliding attention
    batch     B, sequences
    capacity  tokens a sequence can hold; a sliding layer needs only its window
    dtype     of what is kept (or of what its codes stand for): fp32, bf16 or fp16
    pad       [B]: tokens at the front of each sequence that only fill up a batch of prompts
              of different length; set it before the first step (None: there are none)

    A step: `append(T)` claims room for T new tokens of every sequence, in all layers at once. Then
    for each layer in turn, `write(layer, k, v)` stores them, and `attention(q, cache.view(layer))`
    reads. A new kind of cache is a subclass with `storage`, `write` and `view`.
    """

    kind = "abstract"
    _length = 0
    # Whether a kernel may store a new token itself, where the view says that it lies.
    in_place = False

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        methods = {"write", "view", "observe", "storable", "span", "positions", "rotary_positions"}
        own = methods & vars(cls).keys()
        if own and "in_place" not in vars(cls):
            cls.in_place = False  # what a subclass does of its own must never be passed by

    def __init__(self, layout: CacheLayout, *, batch=1, capacity=2048, dtype="fp32", device="cpu"):
        self.layout = layout
        self.batch, self.capacity = whole_number("batch", batch), whole_number("capacity", capacity)
        self.dtype, self.device = torch_dtype(dtype), torch.device(device)
        for i, kv in enumerate(layout.layers):
            if kv.kind not in ("full", "sliding") or kv.v_elements != kv.k_elements:
                raise ValueError(
                    f"layout: layer {i} is {kv.kind!r}; real caches hold full and sliding attention"
                )
        self.new = 0  # tokens that the last `append` added
        # What a step computes on the device it computes from these, which keep their addresses.
        self.device_lengths = torch.zeros(self.batch, dtype=torch.long, device=self.device)
        self._pad, self.padded = torch.zeros_like(self.device_lengths), False  # whether `pad` counts
        self.captured: dict = {}  # steps that were captured over this cache's memory
        self._written: set[int] = set()  # layers that have the new tokens
        self._step: dict = {}  # what layers of one kind share in a step
        self.layers = [self.storage(kv) for kv in layout.layers]

    def storage(self, kv):
        """The storage for one `LayerKV`; it has `window`, `sinks`, `lost`, `held_bytes`, `reserved_bytes`."""
        raise NotImplementedError

    @property
    def pad(self) -> torch.Tensor | None:
        """[B]: each sequence's padding tokens in front; None: there are none."""
        return self._pad if self.padded else None

    @pad.setter
    def pad(self, pad):
        self.padded = pad is not None
        if self.padded:
            self._pad.copy_(pad)

    def _like(self):
        return dict(batch=self.batch, dtype=self.dtype, device=self.device)

    def append(self, T: int = 1) -> None:
        """Claim room for T new tokens of every sequence, in all layers.

        Raises CacheFull, with nothing changed.
        """
        T = whole_number("T", T)
        if self.length + T > self.capacity and any(store.window is None for store in self.layers):
            raise CacheFull(self.length + T, self.capacity)
        if self.pad is not None and any(store.sinks for store in self.layers):
            raise ValueError(
                "sinks need prompts of one length: padding would be kept for good in their place"
            )
        self._length = self.length + T
        self.device_lengths.fill_(self._length)
        self.begin(T)

    def begin(self, T) -> None:
        """Of T new tokens, which have their room, nothing is written yet and nothing computed."""
        self.new, self._step, self._written = T, {}, set()

    def clear(self) -> None:
        """Forget every token; the memory stays, and steps that were captured over it."""
        self._length, self.pad = 0, None
        self.device_lengths.zero_()
        self.begin(0)

    def crop(self, length: int) -> None:
        """Give back every token behind the first `length` of each sequence, padding counted.

        Speculative decoding does so with drafted tokens that the model rejects. Nothing is moved: the next
        tokens are written over them. Raises ValueError, with nothing changed, for a length that the cache
        does not have, or where what the tokens before it need is gone: overwritten in a ring, or packed.
        """
        if whole_number("length", length, least=0) > self.length:
            raise ValueError(f"length must be at most {self.length}, the tokens of the cache, not {length}")
        if self.pad is not None and length <= int(self.pad.max()):
            raise ValueError(
                f"length must leave a token of each sequence behind its padding, not be {length}"
            )
        for i, store in enumerate(self.layers):
            if reason := store.lost(self.length, length):
                raise ValueError(f"length can't be {length}: in layer {i} {reason}")
        self._length = length
        self.device_lengths.fill_(length)
        self.begin(0)

    @property
    def storable(self) -> bool:
        """Whether a kernel may store the last `append`'s token itself."""
        return self.in_place and self.new == 1

    def write(self, layer: int, k, v) -> None:
        """Store the new tokens' keys and values [B, H_kv, T, D] of one layer."""
        raise NotImplementedError

    def view(self, layer: int) -> View:
        """Where the layer's keys and values lie, for the tokens of the last `append`."""
        raise NotImplementedError

    def observe(self, layer: int, q) -> None:
        """What the new tokens' queries q [B, H, T, D] are, once they have read the layer.

        Nothing to most caches. One that evicts tokens by the attention they receive needs them.
        """

    def wrote(self, layer: int) -> None:
        """Note that a layer's new tokens are stored, by `write` or by a kernel."""
        self._written.add(layer)

    def check_new(self, layer, k, v) -> None:
        """Raises ValueError unless k and v are the new tokens' of this layer."""
        kv = self.layout.layers[layer]
        shape = self.batch, kv.n_kv_heads, self.new, kv.head_dim
        for name, x in (("k", k), ("v", v)):
            if x.shape != shape:
                raise ValueError(
                    f"{name} must be {[*shape]}, the new tokens of {self.batch} sequences, not {[*x.shape]}"
                )

    def once(self, make, *key):
        """make(*key), a method of this cache, made once a step for all layers that need the same."""
        name = make.__name__, *key  # the method itself would hold the cache, which then never died by itself
        if name not in self._step:
            self._step[name] = make(*key)
        return self._step[name]

    def span(self, window):
        """first and last of a `View`, [B]."""
        return visible_span(self.device_lengths, window, self.pad)

    def positions(self):
        """[B, T]: the new tokens' positions, padding counted."""
        return self.device_lengths[:, None] + torch.arange(-self.new, 0, device=self.device)

    def rotary_positions(self):
        """[B or 1, T]: the new tokens' positions, padding not counted: what the rotary embedding turns by."""
        if self.pad is None:
            return self.positions()[:1]
        return (self.positions() - self.pad[:, None]).clamp(min=0)

    @property
    def length(self) -> int:
        """Tokens that have passed in each sequence (padding included), held or not."""
        return self._length

    @property
    def nbytes(self) -> int:
        """Bytes of the tokens held, every layer's."""
        return sum(store.held_bytes(self.length) for store in self.layers)

    @property
    def reserved_bytes(self) -> int:
        """Bytes set aside, held or not."""
        return sum(store.reserved_bytes for store in self.layers)

    @property
    def predicted_bytes(self) -> int:
        """What the layout says `nbytes` must be at this length."""
        return self.predict(self.length) if self.length else 0

    def predict(self, context: int) -> int:
        """What the layout says `nbytes` is once `context` tokens have passed."""
        return self.layout.bytes(context, self.batch, self.dtype_name)

    @property
    def dtype_name(self) -> str:
        """The dtype as `kvlib.units.dtype` knows it."""
        return str(self.dtype).removeprefix("torch.")
