"""A checkpoint's weights, part by part: which are quantized, what they take, and how wide the model is."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

from . import weights
from .quantization import WIDE, Scheme
from .weights import Parameters


@dataclass(frozen=True)
class Checkpoint:
    """What the weights of a model take, and the widths that its activations have.

    bytes         of all weights, scales counted
    read_bytes    of those that a decode step of one sequence reads (`Parameters.read`)
    quantized     the scheme's name; "" where all are in 16 bits
    wide_bytes    of the bytes those of weights that stay in 16 bits
    left_out      fields of towers whose size is not known, so not counted
    parameters    the count; None for a size that was given, of a family that is not counted
    hidden        numbers in a token's hidden state
    inner         numbers that the widest feed-forward keeps of a token between its matrices
    routed        numbers in the hidden states that the experts chosen for a token give, before they are added
    vocab         numbers in a token's logits
    """

    bytes: int
    read_bytes: int
    quantized: str
    wide_bytes: int
    left_out: tuple[str, ...]
    parameters: Parameters | None
    hidden: int
    inner: int
    routed: int
    vocab: int

    def given(self, nbytes: int, read_bytes: int, parameters: Parameters | None) -> "Checkpoint":
        """The same model with weights of a given size."""
        return replace(
            self, bytes=nbytes, read_bytes=read_bytes, parameters=parameters, quantized="given", wide_bytes=0,
            left_out=(),
        )  # fmt: skip


class Part(NamedTuple):
    """Some weights: how many, how many a decode step reads, and the modules that they make up.

    module  a name in the checkpoint and its weights, for each; none for what is never quantized
    """

    total: int
    read: int
    modules: tuple[tuple[str, int], ...] = ()
    head: bool = False
    experts: bool = False


def parts(record, f, layers: list, tied: bool) -> list[Part]:
    """The weights of a language model; they add up to what `weights.count` gives."""
    if record.whole:
        found = record.whole(f)
        rest = found.total - found.embedding
        return [Part(found.embedding, 0), Part(rest, found.read, (("model.layers", rest),))]
    hidden, embedding = f["hidden_size"], f["vocab_size"] * record.embedding(f)
    made = [Part(embedding, embedding if tied else 0), Part(hidden, hidden)]
    if not tied:
        made.append(Part(embedding, embedding, (("lm_head", embedding),), head=True))
    if record.extras:
        tables = record.tables(f, layers) if record.tables else 0
        made += [Part(tables, 0), Part(extra := record.extras(f, layers) - tables, extra)]
    for i, layer in enumerate(layers):
        made += _layer(record, f, i, layer, layers)
    return made


def _layer(record, f, i: int, layer, layers: list) -> list[Part]:
    hidden, block, at = f["hidden_size"], record.feed_forward(f, i), f"model.layers.{i}"
    recurrent = record.recurrent(f) if layer.state else 0
    attention = weights.mixer(record, f, layer, layers) - recurrent
    router = block.experts * hidden
    feed, experts = block.always - router, block.experts * block.each
    cached = hidden * layer.cross_elements  # projections of what cross attention keeps are not read again
    thirds = tuple((f"{at}.mlp.{name}_proj", feed // 3) for name in ("gate", "up", "down"))
    return [
        Part(record.norms * hidden + router, record.norms * hidden + router),
        Part(recurrent, recurrent, ((f"{at}.linear_attn", recurrent),)),
        Part(attention, attention - cached, _projections(f, layer, attention, at)),
        Part(feed, feed, thirds),
        Part(experts, block.chosen * block.each, ((f"{at}.mlp.experts.0.up_proj", experts),), experts=True),
    ]


def _projections(f, layer, attention: int, at: str) -> tuple[tuple[str, int], ...]:
    """The four projections where they make up the whole, biases and norms aside; else one module."""
    hidden, n_heads = f["hidden_size"], f.get("num_attention_heads")
    if layer.kind in ("full", "sliding", "chunked") and type(n_heads) is int:
        query, key = hidden * n_heads * layer.head_dim, hidden * layer.k_elements
        if abs(attention - 2 * (query + key)) < attention // 100:
            sizes = {"q": query, "k": key, "v": key, "o": query}
            return tuple((f"{at}.self_attn.{name}_proj", size) for name, size in sizes.items())
    return ((f"{at}.self_attn", attention),)


def checkpoint(record, f, layers, tied: bool, scheme: Scheme | None, tower: int, left_out) -> Checkpoint:
    """The bytes of the parts and of a tower's weights, and the widths of the model."""
    total = read = wide = Fraction(0)
    for part in parts(record, f, layers, tied):
        bits, narrow = _bits(part, scheme, _hidden(record, f))
        total += bits
        wide += WIDE * (part.total - narrow)
        read += bits * Fraction(part.read, part.total) if part.total else 0
    counted, hidden = weights.count(record, f, layers, tied), _hidden(record, f)
    numbers = Parameters(counted.total + tower, counted.active + tower, counted.embedding, counted.read)
    inner, routed = _widths(record, f, layers)
    return Checkpoint(
        bytes=-(-(total + WIDE * tower) // 8),
        read_bytes=-(-read // 8),
        quantized=scheme.name if scheme else "",
        wide_bytes=int(wide + WIDE * tower) // 8,
        left_out=tuple(left_out),
        parameters=numbers,
        hidden=hidden,
        inner=inner,
        routed=routed,
        vocab=f["vocab_size"],
    )


def _bits(part: Part, scheme: Scheme | None, hidden: int) -> tuple[Fraction, int]:
    """(bits of a part, how many of its weights are quantized)."""
    if (
        scheme is None
        or (scheme.experts and not part.experts)
        or (part.head and not (scheme.head or scheme.all))
    ):
        return Fraction(WIDE * part.total), 0
    narrow = sum(size for module, size in part.modules if not _kept(scheme, module))
    narrow = part.total if scheme.all else min(narrow, part.total)
    rows = Fraction(8 * scheme.row * narrow, hidden)
    return scheme.bits * narrow + rows + WIDE * (part.total - narrow), narrow


def _kept(scheme: Scheme, module: str) -> bool:
    """Models of several parts put their language model under another name."""
    inner = module.removeprefix("model.")
    names = (module, f"model.language_model.{inner}", f"language_model.{module}")
    return any(scheme.keeps(name) for name in names)


def _hidden(record, f) -> int:
    """Numbers in a hidden state; families that are counted as a whole may call it d_model."""
    return f["d_model"] if record.whole and "hidden_size" not in f and "d_model" in f else f["hidden_size"]


def _widths(record, f, layers) -> tuple[int, int]:
    """(inner, routed) of the layer whose sum is the largest.

    A matrix has as many weights for each hidden number as it takes or gives of others, so a block with
    gate, up and down keeps 3 × its width: what gate and up give, and what down takes. Of a family whose
    weights are given as a whole, the width is the config's, or 4 × the hidden size.
    """
    if record.whole:
        names = ("intermediate_size", "decoder_ffn_dim", "d_ff", "ffn_dim")
        given = [f.get(name) for name in names]
        return 3 * next((width for width in given if type(width) is int), 4 * _hidden(record, f)), 0
    hidden, widths = f["hidden_size"], [(0, 0)]
    for i in range(len(layers)):
        block = record.feed_forward(f, i)
        weights_used = block.always - block.experts * hidden + block.chosen * block.each
        widths.append((weights_used // hidden, block.chosen * hidden))
    return max(widths, key=sum)
