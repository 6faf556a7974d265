"""llama.cpp's cache: cells allocated at the start, rows packed."""

import dataclasses
from dataclasses import dataclass

from ..configs import architecture
from ..units import DType, dtype as as_dtype, whole_number
from .base import Engine, expanded, flag


@dataclass(frozen=True)
class LlamaCpp(Engine):
    """What llama.cpp allocates at the start for `batch` sequences of `context` tokens.

    Every sequence gets its cells, in 256s; with unified, all share one pool. A windowed layer gets
    W + n_ubatch cells (unified: batch × W + n_ubatch), in 256s too, unless swa_full asks for all of
    them. Only some architectures have such a cache, those whose records say llama_cpp_windows;
    Mistral's and Phi-3's windows, for one, are not used, so their layers keep every token. A layout
    without an architecture is taken at its word.
    Keys and values are rows of their own: f16, or 32 numbers in 34 bytes (q8_0), 24 (q5_1), 22 (q5_0), 20
    (q4_1) or 18 (q4_0, iq4_nl); type_k and type_v name the types of the two where they are not the dtype
    asked for. Of latent attention it keeps the latent, or, with mla_absorbed False, keys and values of every
    query head, as it does with files that lack the metadata for the latent (attention.key_length_mla).
    A state is kept in float32, and of a convolution the last kernel - 1 inputs. Cross attention keeps
    nothing: its keys and values are computed at each step from the encoder's output.

    From ggml-org/llama.cpp at 0c1e57098: src/llama-context.cpp (n_ctx_seq), src/llama-kv-cache.cpp,
    src/llama-kv-cache-iswa.cpp (size_swa), src/models/*.cpp (swa_type; T5's cross attention),
    src/llama-hparams.cpp (n_embd_r, n_embd_s), common/common.h (defaults), conversion/__init__.py
    (architectures; those it lacks are `unserved` in their records).
    """

    n_ubatch: int = 512
    unified: bool = False
    swa_full: bool = False
    type_k: str | None = None
    type_v: str | None = None
    mla_absorbed: bool = True

    name = "llama.cpp"
    dtypes = ("fp32", "fp16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
    source_note = "its keys and values are computed at each step from the encoder's output"

    def __post_init__(self):
        whole_number("n_ubatch", self.n_ubatch)
        for argument in ("unified", "swa_full", "mla_absorbed"):
            flag(argument, getattr(self, argument))
        for argument in ("type_k", "type_v"):
            if (name := getattr(self, argument)) is not None:
                object.__setattr__(self, argument, as_dtype(name).name)

    def seen(self, layout):
        return layout if self.mla_absorbed else expanded(layout)

    def stored_as(self, dtype="bf16"):
        k, v = (one.name for one in self._types(as_dtype(dtype)))
        return k if k == v else f"{k}/{v}"

    def can_store(self, dtype):
        for one in self._types(dtype):
            super().can_store(one)

    def _types(self, dtype) -> tuple[DType, DType]:
        """What keys and what values are kept in."""
        return as_dtype(self.type_k or dtype), as_dtype(self.type_v or dtype)

    def tokens(self, layer, context, batch, layout):
        """Cells of one sequence, or of the pool that all share."""
        sequences = batch if self.unified else 1
        cells = _pad(context * sequences, 256)
        record = architecture(layout.architecture)
        honoured = layout.architecture is None or (record is not None and record.llama_cpp_windows)
        if layer.window is None or self.swa_full or not honoured:
            return cells
        return _pad(min(cells, layer.window * sequences + self.n_ubatch), 256)

    def token_rows(self, layout, context, batch, dtype):
        rows = super().token_rows(layout, context, batch, dtype)
        if not self.unified:
            return rows
        note = "one pool for all sequences"
        return [dataclasses.replace(row, bytes=row.bytes // batch, note=note) for row in rows]

    def source_tokens(self, source_len):
        return 0

    def state_bytes(self, layer, dtype):
        return sum(one.nbytes("fp32", one.kernel and one.kernel - 1) for one in layer.state)

    def token_bytes(self, layer, layout, dtype):
        k, v = self._types(dtype)
        v_head_dim = layer.head_dim if layer.v_head_dim is None else layer.v_head_dim
        for argument, width, kept in (("head_dim", layer.head_dim, k), ("v_head_dim", v_head_dim, v)):
            if width % kept.values:
                raise ValueError(
                    f"{argument} must be a multiple of {kept.values} for {kept.name}, not {width}"
                )
        return k.nbytes(layer.k_elements) + v.nbytes(layer.v_elements)


def _pad(number, multiple):
    return -(-number // multiple) * multiple
