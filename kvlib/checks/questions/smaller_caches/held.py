"""Chapter 07's bytes: what layers with and without a window hold in codes."""

from ...answers import Function, Slip
from ..common import FACTOR_2, question


def _kept(layer, tokens):
    return tokens if layer is None else min(tokens, sum(layer))


def _held(layers, tokens, kv_heads, head_dim, bits, group, kept=_kept, groups=None, ends=4):
    """Bytes of the codes, and of `ends` bytes of scale and zero point for each group."""
    groups = -(-head_dim // group) if groups is None else groups
    vector = head_dim * bits // 8 + groups * ends
    return 2 * kv_heads * vector * sum(kept(layer, tokens) for layer in layers)


def _ends(layers, tokens, kv_heads, head_dim, bits, group):
    """Bytes of scale and zero point in one key."""
    return 4 * -(-head_dim // group)


@question("07-bytes", points=5, kind="code", minutes=12)
def _bytes():
    def reference(layers, tokens, kv_heads, head_dim, bits, group):
        return _held(layers, tokens, kv_heads, head_dim, bits, group)

    def cases(rng):
        yield [None], 10, 1, 64, 8, 64
        yield [(4, 1)], 3, 1, 64, 4, 32
        yield [(4, 2), None], 5, 2, 80, 4, 32
        yield [(4, 2)], 6, 1, 64, 8, 32
        for _ in range(24):
            n = rng.randint(1, 6)
            layers = [rng.choice([None, (rng.randint(5, 500), rng.choice([0, 2, 4]))]) for _ in range(n)]
            tokens = rng.choice([rng.randint(1, 60), rng.randint(100, 4000)])
            yield layers, tokens, rng.randint(1, 8), *_shape(rng)

    def kept_as(kept):
        return lambda *a: _held(*a, kept=kept)

    def windows(change):
        def layers(arguments):
            return [layer and change(*layer) for layer in arguments["layers"]]

        return layers

    def everywhere(arguments):
        first = next((layer for layer in arguments["layers"] if layer), None)
        return [layer or first for layer in arguments["layers"]]

    once = "It counts scales and zero points once; every token's key and value have theirs."
    floor = "It leaves out the last group, which is not full and has a scale and a zero point all the same."
    part = "It gives a group that is not full a part of a scale and a zero point; it keeps whole ones."
    return Function(
        reference,
        cases,
        (
            Slip(
                "It forgets the sinks; they are kept as well as the window.",
                layers=windows(lambda w, s: (w, 0)),
            ),
            Slip(
                "It adds the sinks even where the text is shorter than window and sinks together.",
                kept_as(lambda layer, t: t if layer is None else min(t, layer[0]) + layer[1]),
            ),
            Slip(
                "It counts a window as full from the first token on.",
                kept_as(lambda layer, t: t if layer is None else sum(layer)),
            ),
            Slip(
                "It ignores the windows: such a layer keeps only its sinks and the last tokens.",
                layers=lambda a: [None] * len(a["layers"]),
            ),
            Slip(
                "It puts the window on every layer; None means that a layer keeps all tokens.",
                layers=everywhere,
            ),
            Slip(
                "It leaves out the layers without a window; they keep all tokens.",
                kept_as(lambda layer, t: 0 if layer is None else min(t, sum(layer))),
            ),
            Slip(
                "It keeps the larger of window and text; a layer holds no more than either.",
                kept_as(lambda layer, t: t if layer is None else max(t, sum(layer))),
            ),
            Slip("It gives MiB; the question asks for bytes.", then=lambda v: v / 2**20),
            Slip(
                "It adds window and sinks to the tokens; they are what is left of them.",
                kept_as(lambda layer, t: t if layer is None else t + sum(layer)),
            ),
            Slip(
                "It takes the sinks out of the window; they come on top of it.",
                kept_as(lambda layer, t: t if layer is None else min(t, layer[0] - layer[1])),
            ),
            Slip("It keeps one token too few in a window.", layers=windows(lambda w, s: (w - 1, s))),
            Slip("It keeps one token too many in a window.", layers=windows(lambda w, s: (w + 1, s))),
            Slip(FACTOR_2, then=lambda v: v // 2),
            Slip("It forgets the KV heads.", kv_heads=1),
            Slip(
                "It adds the sinks once more: window and sinks together are the most that a layer keeps.",
                kept_as(lambda layer, t: t if layer is None else min(t, sum(layer)) + layer[1]),
            ),
            Slip(
                "It groups the numbers of all KV heads together; a key of one head has groups of its own.",
                lambda *a: _held(*a, groups=-(-a[3] * a[2] // a[5])),
            ),
            Slip(
                "It groups a key and its value together; each has groups of its own.",
                lambda *a: _held(*a, groups=-(-2 * a[3] // a[5]) / 2),
            ),
            Slip(
                "It fills up the last group with codes; only its scale and zero point are whole.",
                lambda *a: _held(*a, ends=4 + a[5] * a[4] // 8) - _held(*a, ends=0),
            ),
            Slip(
                "It gives no bytes to codes of fewer than 8 bits: multiply by the numbers before you divide.",
                bits=lambda a: a["bits"] // 8 * 8,
            ),
            Slip("It counts one layer; each keeps a cache of its own.", layers=lambda a: a["layers"][:1]),
            Slip(
                "It counts the codes alone: each group also keeps a scale and a zero point.",
                lambda *a: _held(*a, ends=0),
            ),
            Slip(
                "It counts the scale and not the zero point; each group keeps both.",
                lambda *a: _held(*a, ends=2),
            ),
            Slip(
                "It takes 4 bytes each for scale and zero point; fp16 takes 2.", lambda *a: _held(*a, ends=8)
            ),
            Slip(
                "It counts scale and zero point in bits, 32 where 4 bytes are meant.",
                lambda *a: _held(*a, ends=32),
            ),
            Slip(
                "It counts one scale and zero point per key; each group of it has its own.",
                lambda *a: _held(*a, groups=1),
            ),
            Slip("It gives every number a scale and a zero point; a group shares them.", group=1),
            Slip(
                "It counts a group more where the last one is full.",
                lambda *a: _held(*a, groups=a[3] // a[5] + 1),
            ),
            Slip(
                "It counts the numbers of a group; how many groups has a key?",
                lambda *a: _held(*a, groups=a[5]),
            ),
            Slip(
                "It counts 16 bits per number, as if nothing had been quantised.",
                lambda *a: _held(*a[:4], 16, a[5], ends=0),
            ),
            Slip(once, lambda *a: _held(*a, ends=0) + len(a[0]) * _ends(*a)),
            Slip(once, lambda *a: _held(*a, ends=0) + 2 * a[2] * len(a[0]) * _ends(*a)),
            Slip(floor, lambda *a: _held(*a, groups=a[3] // a[5])),
            Slip(part, lambda *a: _held(*a, groups=a[3] / a[5])),
            Slip("It takes bits for bytes: 8 bits are one byte.", bits=lambda a: 8 * a["bits"]),
            Slip("It takes bits for bytes: 8 bits are one byte.", then=lambda v: 8 * v),
            Slip("It always takes 4 bits; bits says how many.", bits=4),
            Slip("It always takes groups of 32; group says how many numbers share a scale.", group=32),
            Slip(
                "It lets every layer count the kept tokens of the first.",
                layers=lambda a: a["layers"][:1] * len(a["layers"]),
            ),
        ),
        where={
            "It is wrong only where the last group is not full.": lambda *a: a[3] % a[5] > 0,
            "It is wrong only where a window is not full yet.": lambda *a: any(
                layer and a[1] < sum(layer) for layer in a[0]
            ),
            "It is wrong only where a layer has no window.": lambda *a: None in a[0],
            "It is wrong only where a layer has a window.": lambda *a: any(a[0]),
            "It is wrong only where a layer has sinks.": lambda *a: any(layer and layer[1] for layer in a[0]),
        },
        idea="First the tokens that each layer keeps, then the bytes of one token in one layer.",
    )


def _shape(rng):
    """head_dim, bits and group; of 80 or 96 numbers the last group need not be full."""
    return rng.choice([64, 80, 96, 128]), rng.choice([2, 4, 8]), rng.choice([32, 64])
