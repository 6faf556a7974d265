"""The tiny language model as a decoder, and a cache that can be damaged.

Its figure runs the same weights in the page, in JavaScript; tests hold that to what is here.
"""

import torch

from ..attention import ContiguousView
from ..cache import ContiguousCache
from ..cache.codes import dequantize, quantize
from ..decoder import Decoder, Layer, rotate
from ..generate import LanguageModel
from ..widgets.tiny import tiny, tiny_layout, unpacked


def load_tiny(data=None, dtype=torch.float32) -> LanguageModel:
    """The tiny model, ready to generate: words and full stops are its tokens.

    data   the content of tiny.json, or of a file like it
    dtype  torch.float32; float64 for a reference whose rounding errors are negligible
    """
    data = data or tiny()
    shape, words = data["shape"], data["vocabulary"].split()
    found = [
        (name, torch.tensor(x, dtype=dtype).view(rows, columns)) for name, rows, columns, x in unpacked(data)
    ]
    one = torch.ones(shape["hidden"], dtype=dtype)
    layers = [
        Layer(norm=one, mlp_norm=one, **dict(found[i : i + 4])) for i in range(0, 4 * shape["layers"], 4)
    ]
    decoder = Decoder(
        tiny_layout(data), layers, found[-1][1], one, rope_theta=shape["rope_theta"], eps=shape["eps"]
    )
    return LanguageModel(decoder, tokenizer(words), stop={0})


def tokenizer(words):
    """A token for each of `words`; "bed." is two, and is put together again."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    built = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}))
    marks = (pre_tokenizers.Split(mark, "isolated") for mark in (",", "."))
    built.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), *marks])
    built.decoder = decoders.WordPiece(cleanup=True)
    return built


class DamagedCache(ContiguousCache):
    """Every token's keys and values, and what the reader has done to them. For steps of one token.

    bits     16: kept in fp16; 8, 4 or 2: as `QuantizedCache` keeps them, a head's numbers in one group
    window, sinks  as `SlidingCache` has them; None: no window
    dropped  positions whose keys and values are gone once the prompt has been read
    prompt   tokens of the prompt
    turned   the decoder's (cos, sin): then keys lie here as they were before rotation; None: rotated
    """

    kind = "damaged"

    def __init__(self, layout, *, bits=16, window=None, sinks=0, dropped=(), prompt=0, turned=None, **rest):
        self.bits, self.window, self.sinks = bits, window, sinks
        self.dropped, self.prompt, self.turned = frozenset(dropped), prompt, turned
        super().__init__(layout, dtype="fp16" if bits == 16 else "fp32", **rest)

    def write(self, layer, k, v):
        if self.turned is not None:
            cos, sin = (table[self.positions()[0]][None] for table in self.turned)
            k = rotate(k.transpose(1, 2), cos, -sin).transpose(1, 2)
        if self.bits != 16:
            k, v = (dequantize(*quantize(x, self.bits, -1)) for x in (k, v))
        super().write(layer, k, v)

    def _inside(self) -> list[int]:
        first = 0 if self.window is None else self.length - self.window
        return [i for i in range(self.length) if i >= first or i < self.sinks]

    def seen(self) -> list[int]:
        """Positions that the newest token sees, its own the last."""
        newest = self.length - 1
        return [i for i in self._inside() if i == newest or newest < self.prompt or i not in self.dropped]

    def kept(self) -> list[int]:
        """Positions whose keys and values are there when the step is over."""
        return [i for i in self._inside() if self.length < self.prompt or i not in self.dropped]

    def view(self, layer):
        store, seen = self.layers[layer], self.seen()
        return ContiguousView.of(store.k[:, :, seen], store.v[:, :, seen])

    @property
    def nbytes(self):
        dtype = "fp16" if self.bits == 16 else f"int{self.bits}-g{self.layout.head_dim}"
        return self.batch * len(self.kept()) * self.layout.bytes_per_token(dtype)


@torch.inference_mode()
def written(model: LanguageModel, prompts, count: int, *, rotation=True, **damage):
    """What the model writes after `prompts` [B, T] from a cache that is damaged so: tokens, logits, cache.

    prompts   lists of tokens of one length
    count     tokens to write, the likeliest each time; it goes on after the stop token
    rotation  False: the keys in the cache are those from before rotation
    damage    the options of `DamagedCache`

    Returns tokens [B, count], the logits [B, count, vocab] that they were chosen by, and the cache, which
    holds all but the last of them.
    """
    decoder, fed = model.decoder, torch.tensor(prompts)
    B, T = fed.shape
    turned = None if rotation else (decoder.cos, decoder.sin)
    cache = DamagedCache(model.layout, batch=B, capacity=T + count, prompt=T, turned=turned, **damage)
    tokens, said = [], []
    for i in range(T):
        logits = decoder(fed[:, i : i + 1], cache)
    for _ in range(count):
        if tokens:
            logits = decoder(tokens[-1], cache)
        said.append(logits)
        tokens.append(logits.argmax(-1, keepdim=True))
    return torch.cat(tokens, dim=1), torch.stack(said, dim=1), cache
