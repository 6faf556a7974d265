"""quantization_config: the bits of a quantized weight, its scales counted, and what stays in 16 bits.

From vLLM 0.33.0, model_executor/layers/quantization/ (what each method's config names, and the scales that
it creates), and transformers 5.23, utils/quantization_config.py (what a config leaves out). Embeddings,
norms, biases, routers and towers are never quantized; the output matrix only where it is said.
"""

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from ..units import dtype as as_dtype
from .refusals import UnsupportedConfig, needs

WIDE = 16  # bits of what is not quantized


@dataclass(frozen=True)
class Scheme:
    """How a checkpoint keeps its matrices.

    name     as a reader knows it
    bits     of one weight, its groups' scales and zeros counted
    row      bytes that each row of a matrix brings along
    kept     patterns of the modules that stay in 16 bits
    experts  only the experts are quantized
    head     the output matrix is quantized too
    all      so are embeddings: llama.cpp's files
    """

    name: str
    bits: Fraction
    row: int = 0
    kept: tuple[str, ...] = ()
    experts: bool = False
    head: bool = False
    all: bool = False

    @cached_property
    def _plain(self) -> frozenset[str]:
        return frozenset(name.strip(".") for name in self.kept if not _WILD.search(name))

    @cached_property
    def _wild(self) -> tuple[re.Pattern, ...]:
        """Regular expressions, and shell patterns of a module or what is within it."""
        return tuple(
            re.compile(name[3:])
            if name.startswith("re:")
            else re.compile(f"(?:{fnmatch.translate(name)}|{fnmatch.translate(f'{name}.*')})")
            for name in self.kept
            if _WILD.search(name)
        )

    def keeps(self, module: str) -> bool:
        """Whether this module, by its name in the checkpoint, stays in 16 bits: it, or what it is within."""
        parts = module.split(".")
        within = (".".join(parts[i:j]) for i in range(len(parts)) for j in range(i + 1, len(parts) + 1))
        return not self._plain.isdisjoint(within) or any(one.match(module) for one in self._wild)


_WILD = re.compile(r"^re:|\*")
# Expressions that could take for ever on a name: a repeated group, or many repetitions.
_ENDLESS = re.compile(r"\)[*+{]|(?:[*+{].*){5}")


def _grouped(bits: int, group, scale: int = 16, zero: int = 0) -> Fraction:
    """Bits of a weight with a scale (and a zero point) for every `group` of them; -1: for a whole row."""
    return Fraction(bits) + (Fraction(scale + zero, group) if group and group > 0 else 0)


def scheme(found: Mapping) -> Scheme | None:
    """The scheme of a config.json (its own or its text_config's); None where nothing is quantized.

    Raises UnsupportedConfig for a method, or a value of a known one, whose bits are not known.
    """
    inner = found.get("text_config")
    for given in (found, inner if isinstance(inner, Mapping) else {}):
        for field in ("quantization_config", "compression_config", "quantization"):
            q = given.get(field)
            if isinstance(q, Mapping) and q:
                return _read(q, field)
    return None


def _read(q: Mapping, field: str) -> Scheme | None:
    method = str(q.get("quant_method") or q.get("quant_algo") or "").lower()
    reader = _METHODS.get(method)
    if reader is None and any(name in q for name in ("quant_algo", "producer")):
        reader = _modelopt
    if reader is None:
        need = f"known are {', '.join(_METHODS)}; give the size of the weights or their dtype"
        raise UnsupportedConfig(needs(f"{field}.quant_method", q.get("quant_method"), need))
    try:
        made = reader(q)
        for name in made.kept if made else ():
            if name.startswith("re:") and _ENDLESS.search(name):
                raise ValueError("an expression that is not tried")
        if made and not 1 <= made.bits <= 2 * WIDE:
            raise ValueError("so many bits")
        if made:
            made.keeps("")  # so that one that is no expression is found here
        return made
    except (re.error, OverflowError, TypeError, ValueError, LookupError, ZeroDivisionError, AttributeError):
        need = "its bits cannot be read; give the size of the weights or their dtype"
        raise UnsupportedConfig(needs(field, dict(q), need)) from None


def _names(q: Mapping, *fields: str) -> tuple[str, ...]:
    return tuple(str(name) for field in fields for name in q.get(field) or ())


def _fp8(q):
    block = q.get("weight_block_size")
    bits = _grouped(8, int(block[0]) * int(block[1]), 32) if block else Fraction(8)
    return Scheme("fp8", bits, kept=_names(q, "modules_to_not_convert", "ignored_layers"))


def _fbgemm(q):
    return Scheme("fbgemm_fp8", Fraction(8), row=4, kept=_names(q, "modules_to_not_convert"))


def _awq(q):
    bits, group = int(q.get("bits", q.get("w_bit", 4))), int(q.get("group_size", q.get("q_group_size", 128)))
    zero = bits if q.get("zero_point", True) else 0
    return Scheme(
        f"awq {bits}-bit", _grouped(bits, group, zero=zero), kept=_names(q, "modules_to_not_convert")
    )


def _gptq(q):
    bits, dynamic = int(q["bits"]), q.get("dynamic") or {}
    kept = tuple(f"re:{name[2:]}" for name in dynamic if name.startswith("-:"))
    if any(not name.startswith("-:") for name in dynamic):
        raise ValueError("layers of other bits")
    return Scheme(
        f"gptq {bits}-bit", _grouped(bits, int(q.get("group_size", 128)), zero=bits),
        kept=kept + _names(q, "modules_in_block_to_not_quantize"), head=bool(q.get("lm_head")),
    )  # fmt: skip


def _bitsandbytes(q):
    kept = _names(q, "llm_int8_skip_modules")
    if not q.get("load_in_4bit", q.get("_load_in_4bit")):
        return Scheme("bitsandbytes 8-bit", Fraction(8), row=4, kept=kept)
    # An fp32 scale for 64 weights, or an 8-bit one and an fp32 one for 256 of those.
    scale = (
        Fraction(8, 64) + Fraction(32, 64 * 256) if q.get("bnb_4bit_use_double_quant") else Fraction(32, 64)
    )
    return Scheme("bitsandbytes 4-bit", 4 + scale, kept=kept)


def _mxfp4(q):
    return Scheme("mxfp4", _grouped(4, 32, 8), kept=_names(q, "modules_to_not_convert"), experts=True)


def _compressed(q):
    groups = list((q.get("config_groups") or {}).values())
    if not groups:
        return None  # only the cache is quantized
    bits = {_weights_of(group["weights"], group.get("format") or q.get("format") or "") for group in groups}
    if len(bits) != 1:
        raise ValueError("groups of different bits")
    (per_weight, row), name = bits.pop(), str(q.get("format") or "")
    targets = {str(name) for group in groups for name in group.get("targets") or ("Linear",)}
    if not targets <= {"Linear", "re:.*Linear"} and not all(name.startswith("re:") for name in targets):
        raise ValueError("targets that are not known")
    kept = _names(q, "ignore")
    if "Linear" not in targets:  # only what one of the patterns names is quantized
        kept += (f"re:(?!{'|'.join(f'(?:{name[3:]})' for name in sorted(targets))})",)
    return Scheme(f"compressed-tensors {name}".strip(), per_weight, row, kept)


def _weights_of(weights: Mapping, kind: str) -> tuple[Fraction, int]:
    """(bits of a weight, bytes of a row) of one group of compressed-tensors."""
    bits, strategy = int(weights["num_bits"]), weights.get("strategy") or "tensor"
    zero = 0 if weights.get("symmetric", True) else bits
    scale = 8 if kind.startswith(("nvfp4", "mxfp")) else 16
    if strategy in ("group", "tensor_group"):
        return _grouped(bits, int(weights["group_size"]), scale, zero), 0
    if strategy == "block":
        rows, columns = weights["block_structure"]
        return _grouped(bits, int(rows) * int(columns)), 0
    if strategy not in ("channel", "tensor"):
        raise ValueError("a strategy that is not known")
    return Fraction(bits), 2 if strategy == "channel" else 0


def _modelopt(q):
    inner = q.get("quantization")
    inner = inner if isinstance(inner, Mapping) else q
    algorithm = str(inner.get("quant_algo", "")).upper()
    if algorithm not in _MODELOPT:
        raise ValueError("an algorithm that is not known")
    kept = _names(inner, "exclude_modules", "ignore")
    return Scheme(f"modelopt {algorithm}", _MODELOPT[algorithm], kept=kept)


_MODELOPT = {
    "FP8": Fraction(8), "FP8_PER_CHANNEL_PER_TOKEN": Fraction(8), "FP8_PB_WO": _grouped(8, 128 * 128, 32),
    "MXFP8": _grouped(8, 32, 8), "NVFP4": _grouped(4, 16, 8), "W4A16_NVFP4": _grouped(4, 16, 8),
}  # fmt: skip
_METHODS = {
    "fp8": _fp8, "fbgemm_fp8": _fbgemm, "awq": _awq, "gptq": _gptq, "bitsandbytes": _bitsandbytes,
    "mxfp4": _mxfp4, "compressed-tensors": _compressed, "modelopt": _modelopt, "modelopt_fp4": _modelopt,
}  # fmt: skip

# Bits of a weight over a whole file of Llama 3.1 8B: ggml-org/llama.cpp, tools/quantize/README.md.
GGUF = {
    "q2_k": "3.1593", "q3_k_s": "3.6429", "q3_k_l": "4.2979", "q4_k_s": "4.6672", "q4_k_m": "4.8944",
    "q5_k_s": "5.5704", "q5_k_m": "5.7036", "q6_k": "6.5633", "iq4_xs": "4.4597",
}  # fmt: skip


def named(name: str) -> Scheme | None:
    """The scheme of weights quantized when they are loaded, or by another file; None for 16 bits.

    A dtype of kvlib (fp8, int4, nvfp4, …) is that of the matrices, embeddings and output apart; awq and gptq
    are 4 bits in groups of 128; llama.cpp's types (q8_0, q4_k_m, …) are those of a whole file.
    Raises ValueError for an unknown name.
    """
    key = name.lower()
    if key in ("awq", "gptq"):
        return _awq({}) if key == "awq" else _gptq({"bits": 4})
    if key in GGUF:
        return Scheme(key, Fraction(GGUF[key]), all=True)
    dtype = as_dtype(key)
    if dtype.name in ("bf16", "fp16"):
        return None
    bits = Fraction(8 * dtype.bytes, dtype.values)
    return Scheme(
        dtype.name, bits, all=dtype.name in ("q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl", "fp32")
    )
