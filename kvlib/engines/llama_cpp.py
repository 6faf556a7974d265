"""llama.cpp's cache: cells allocated at the start, rows packed."""

import dataclasses
from dataclasses import dataclass

from ..configs import architecture
from ..units import whole_number
from .base import Engine, flag


@dataclass(frozen=True)
class LlamaCpp(Engine):
    """What llama.cpp allocates at the start for `batch` sequences of `context` tokens.

    Every sequence gets its cells, in 256s; with unified, all share one pool. A windowed layer gets
    W + n_ubatch cells (unified: batch × W + n_ubatch), in 256s too, unless swa_full asks for all of
    them. Only some architectures have such a cache, those whose records say llama_cpp_windows;
    Mistral's and Phi-3's windows, for one, are not used, so their layers keep every token. A layout
    without an architecture is taken at its word.
    Keys and values are rows of their own: f16, or 32 numbers in 34 bytes (q8_0) or 18 (q4_0).
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

    name = "llama.cpp"
    dtypes = ("fp32", "fp16", "bf16", "q8_0", "q4_0")
    source_note = "its keys and values are computed at each step from the encoder's output"

    def __post_init__(self):
        whole_number("n_ubatch", self.n_ubatch)
        flag("unified", self.unified)
        flag("swa_full", self.swa_full)

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
        for argument, width in (("head_dim", layer.head_dim), ("v_head_dim", layer.v_head_dim)):
            if (width or 0) % dtype.values:
                raise ValueError(
                    f"{argument} must be a multiple of {dtype.values} for {dtype.name}, not {width}"
                )
        return layer.bytes_per_token(dtype)


def _pad(number, multiple):
    return -(-number // multiple) * multiple
