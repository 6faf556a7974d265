"""What every kind of cache shares."""

import numpy as np
import torch

from ..attention import attention, attention_in_place, check, in_place, loops
from ..fixed import attention_at
from ..layouts import CacheLayout
from ..units import whole_number
from .storage import CacheFull, ContiguousLayer, RingLayer, torch_dtype


class Cache:
    """A storage a layer, and the layout they were made from.

    layout    what each layer keeps of a token; full and sliding attention
    batch     B, sequences
    capacity  tokens a sequence can hold; a sliding layer needs only its window
    dtype     of the keys and values given and returned: fp32, bf16 or fp16
    pad       [B]: tokens at the front of each sequence that only fill up a batch of prompts
              of different length; set it before the first update (None: there are none)
    """

    kind = "abstract"

    def __init__(self, layout: CacheLayout, *, batch=1, capacity=2048, dtype="fp32", device="cpu"):
        self.layout, self.pad = layout, None
        self.batch, self.capacity = whole_number("batch", batch), whole_number("capacity", capacity)
        self.dtype, self.device = torch_dtype(dtype), torch.device(device)
        for i, kv in enumerate(layout.layers):
            if kv.kind not in ("full", "sliding") or kv.v_elements != kv.k_elements:
                raise ValueError(
                    f"layout: layer {i} is {kv.kind!r}; real caches hold full and sliding attention"
                )
        self.kernel = loops(self.dtype, self.device)
        self.layers = [self.storage(kv) for kv in layout.layers]

    def storage(self, kv):
        """The storage for one `LayerKV`."""
        raise NotImplementedError

    def _room(self):
        return dict(batch=self.batch, dtype=self.dtype, device=self.device)

    def update(self, layer: int, k, v):
        """Store new keys and values; return those to attend to. Raises CacheFull (a ValueError)."""
        return self.layers[layer].update(k, v)

    def attend(self, layer: int, q, k, v):
        """What the new tokens' queries q [B, H, T, D] read: update, then attention.

        One float32 token on a CPU reads the memory in place: the same numbers, but nothing is put
        in order, gathered or unpacked for it.
        """
        self._check_batch(len(q))
        if self.dtype == q.dtype and in_place(q, k, v) and self.ready(layer):
            check(q, k, v)
            self.store(layer, k, v)
            return attention_in_place(q, *self.source(layer))
        k, v = self.update(layer, k, v)
        return attention(q, k, v, *self.sees(layer), self.padding(layer, k.shape[2]))

    def sees(self, layer: int):
        """What a layer's tokens see: the last `window` tokens (None: all), and the first `sinks`."""
        return self.layers[layer].window, self.layers[layer].sinks

    def _check_batch(self, sequences):
        if sequences != self.batch:
            raise ValueError(f"tokens must be of {self.batch} sequences, as the cache's are, not {sequences}")

    @property
    def direct(self) -> bool:
        """Whether `attend_token` serves it: every layer `ready`, and able to take a token by itself."""
        return all(self.ready(i) and store.claims for i, store in enumerate(self.layers))

    def attend_token(self, layer: int, qkv, cos, sin):
        """`attend` for one float32 token a sequence on a CPU, whose queries and keys are yet to be rotated.

        qkv       [B, (H + 2 H_kv) × D]: queries, keys and values as one projection gives them
        cos, sin  [1 or B, D], of each sequence's position, as NumPy's arrays
        Returns [B, H × D]. Needs `direct`. Raises ValueError for another number of sequences.
        """
        self._check_batch(len(qkv))
        self.claim(layer)
        memory, n_kv_heads, start, stop = self.source(layer)
        heads = qkv.shape[1] // cos.shape[1] - 2 * n_kv_heads, n_kv_heads
        threads = torch.get_num_threads()
        out = self.kernel.attend_token(qkv.numpy(), heads, cos, sin, memory, start, stop, threads)
        return torch.from_numpy(out)

    def claim(self, layer: int):
        """The slots [B] of one more token a sequence, now counted as held. Raises CacheFull."""
        return np.full(self.batch, self.layers[layer].claim())

    def ready(self, layer: int) -> bool:
        """Whether the layer's memory can be read in place.

        Not if a subclass has an `update` of its own, nor a ring with padding in it, which needs its order.
        """
        store = self.layers[layer]
        padded_ring = self.pad is not None and store.window is not None
        return type(self).update is Cache.update and hasattr(store, "source") and not padded_ring

    def store(self, layer: int, k, v) -> None:
        """Store new keys and values. Raises CacheFull (a ValueError)."""
        self.layers[layer].store(k, v)

    def source(self, layer: int):
        """A layer's memory (`kvlib.kernels`), its KV heads, and each sequence's first token and end, [B]."""
        memory, end = self.layers[layer].source()
        # A padding token sees itself, or it would see nothing.
        first = max(0, end - (self.layers[layer].window or end))
        start = np.full(self.batch, first) if self.pad is None else self.pad.numpy().clip(max=end - 1)
        return memory, self.layout.layers[layer].n_kv_heads, start, np.full(self.batch, end)

    def padding(self, layer: int, S: int):
        """[B]: how many of the S keys that `update` returned are padding, or None."""
        if self.pad is None:
            return None
        if self.layers[layer].sinks:
            raise ValueError(
                "sinks need prompts of one length: padding would be kept for good in their place"
            )
        return (self.pad - (self.layers[layer].length - S)).clamp(min=0)

    @property
    def fixed(self) -> bool:
        """Whether `attend_at` can serve it: every token has a slot of its own until the next needs it."""
        rings = any(isinstance(store, RingLayer) for store in self.layers)
        return all(isinstance(s, ContiguousLayer) for s in self.layers) and not (
            rings and self.pad is not None
        )

    def attend_at(self, layer: int, q, k, v, filled):
        """`attend` for one token at `filled.position`; no shape depends on the position.

        Call `advance` once every layer has been served.
        """
        k, v = self.layers[layer].update_at(filled.position, k, v)
        return attention_at(q, k, v, filled)

    def advance(self) -> None:
        """Count the token that `attend_at` stored in every layer."""
        for store in self.layers:
            store.length += 1

    def check_room(self, n_tokens: int = 1) -> None:
        """Raises CacheFull if a layer without a window cannot hold `n_tokens` more."""
        for store in self.layers:
            if store.window is None and store.length + n_tokens > store.capacity:
                raise CacheFull(store.length + n_tokens, store.capacity)

    @property
    def length(self) -> int:
        """Tokens that have passed in each sequence (padding included), held or not."""
        return self.layers[0].length

    @property
    def nbytes(self) -> int:
        """Bytes of the tokens held, every layer's."""
        return sum(store.nbytes for store in self.layers)

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
        return self.layout.bytes(context, self.batch, self._dtype_name())

    def _dtype_name(self):
        return str(self.dtype).removeprefix("torch.")
