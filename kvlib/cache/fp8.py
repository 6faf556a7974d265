"""Keys and values as 8-bit floating-point numbers, without a scale."""

import torch

from .contiguous import ContiguousCache, Rows

FP8 = torch.float8_e4m3fn  # of OCP: a sign, 4 bits of exponent, 3 of mantissa
LARGEST = torch.finfo(FP8).max  # 448; what is larger becomes this, as in vLLM's kernels


class Fp8Rows(Rows):
    """One layer's keys and values in fp8; a number is off by at most a sixteenth of itself."""

    def __init__(self, kv, slots, *rest, dtype, **like):
        super().__init__(kv, slots, *rest, dtype=FP8, **like)

    def write(self, slots, k, v) -> None:
        """Store keys and values [B, H_kv, T, D] in slots [T]."""
        for memory, x in zip((self.k, self.v), self.rounded(k, v), strict=True):
            memory.view(torch.uint8).index_copy_(2, slots, x.view(torch.uint8))  # bytes: fp8 has no copy

    def rounded(self, k, v):
        return tuple(x.clamp(-LARGEST, LARGEST).to(FP8) for x in (k, v))


class Fp8Cache(ContiguousCache):
    """A contiguous cache of fp8 (e4m3), half the bytes of bf16. `dtype` is what the model computes in."""

    kind = "fp8"
    in_place = False  # a kernel would store the token in `dtype`

    def storage(self, kv):
        return Fp8Rows(kv, kv.window or self.capacity, kv.window, **self._like())

    def predict(self, context):
        return self.layout.bytes(context, self.batch, "fp8")
