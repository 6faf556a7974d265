"""A question of chapter 04: attention in groups, without a copy."""

from ...answers import Function, Slip
from ..common import question

SUM = "Its weights do not add up to 1: each query's are to be divided by their own sum."


@question("04-grouped", points=5, kind="code", minutes=15, needs=("numpy",))
def _grouped():
    import numpy as np

    def softmax(scores, axis=-1):
        weights = np.exp(scores - scores.max(axis, keepdims=True))
        return weights / weights.sum(axis, keepdims=True)

    def shares(axis):
        """Weights as of a softmax, but divided by the sum over `axis`."""

        def weigh(scores):
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            return weights if axis is False else weights / weights.sum(axis, keepdims=True)

        return weigh

    def attend(q, k, v, tiled=False, tiled_out=None, scale=0.5, weigh=softmax, flat=True):
        """Grouped attention; the arguments spoil it."""
        (heads, width), kv_heads = q.shape, k.shape[0]
        grouped = q.reshape(heads // kv_heads, kv_heads, width).swapaxes(0, 1) if tiled else q
        grouped = grouped.reshape(kv_heads, heads // kv_heads, width)
        out = weigh(grouped @ k.swapaxes(1, 2) * width**-scale) @ v
        back = tiled if tiled_out is None else tiled_out
        out = out.swapaxes(0, 1) if back else out
        return out.reshape(heads, v.shape[2]) if flat else out

    def spoilt(said, **wrong):
        return Slip(said, lambda q, k, v: attend(q, k, v, **wrong))

    def cases(rng):
        numbers = np.random.default_rng(rng.randrange(2**32))
        shapes = [(4, 1, 1, 2), (4, 4, 3, 2), (4, 1, 3, 2), (4, 2, 3, 2), (6, 2, 5, 4), (12, 3, 7, 8)]
        shapes += [(8, 4, 9, 4), (16, 2, 512, 64)]  # the last is large enough to see what is copied
        for heads, kv_heads, tokens, width in shapes:
            q = numbers.normal(size=(heads, width))
            yield q, *(2 * numbers.normal(size=(2, kv_heads, tokens, width)))
        yield 5000 * np.abs(q[:4, :2]) + 500, *(1 + np.abs(numbers.normal(size=(2, 2, 3, 2))))

    def enough(q, k, v):
        """Room for one copy of keys and values as they are kept, and for some of the scores."""
        return 2 * k.nbytes + 8 * k.itemsize * len(q) * k.shape[1] + 2**17

    return Function(
        lambda q, k, v: attend(q, k, v),
        cases,
        (
            spoilt(
                "It gives query head h the KV head h % H_kv, as np.tile does. Neighbours share a KV head:"
                " query head h reads h // (H // H_kv), as np.repeat does.",
                tiled=True,
            ),
            spoilt(
                "It groups the queries as np.tile would, and puts the outputs back as np.repeat would.",
                tiled=True,
                tiled_out=False,
            ),
            spoilt("It mixes up the order of the outputs: row h belongs to query head h.", tiled_out=True),
            spoilt("It leaves out the division by the square root of the width.", scale=0),
            spoilt("It divides by the width, not by its square root.", scale=1),
            *(
                Slip(
                    f"It divides by the square root of {words}, not of the width.",
                    lambda q, k, v, n=n: attend(q * (q.shape[1] / n(q, k)) ** 0.5, k, v),
                )
                for words, n in {
                    "the tokens": lambda q, k: k.shape[1],
                    "the query heads": lambda q, k: len(q),
                    "the KV heads": lambda q, k: len(k),
                }.items()
            ),
            spoilt("It multiplies by the square root of the width where it should divide.", scale=-0.5),
            spoilt("It leaves out the softmax.", weigh=lambda s: s),
            spoilt(
                "Its weights do not add up to 1: the softmax divides by their sum.", weigh=lambda s: np.exp(s)
            ),
            spoilt(f"{SUM} The softmax divides by it.", weigh=shares(False)),
            spoilt(
                f"{SUM} It divides by that over a group; each query head has its own.", weigh=shares((1, 2))
            ),
            spoilt(f"{SUM} It divides by that over all heads; each has its own.", weigh=shares(None)),
            spoilt(
                f"{SUM} It divides by that over the query heads; each weighs the tokens.", weigh=shares(1)
            ),
            spoilt(
                "It divides scores by their sum; a softmax takes np.exp of them first.",
                weigh=lambda s: s / s.sum(-1, keepdims=True),
            ),
            spoilt(
                "Its softmax runs over the query heads; each query weighs the tokens.",
                weigh=lambda s: softmax(s, 1),
            ),
            spoilt(
                "Its softmax divides by the sum of all heads together; each head has weights of its own.",
                weigh=lambda s: softmax(s, None),
            ),
            spoilt(
                "Its softmax divides by the sum of a group; each query head has weights of its own.",
                weigh=lambda s: softmax(s, (1, 2)),
            ),
            spoilt("It keeps the groups apart: hand back one row for each query head.", flat=False),
            Slip("It averages the keys: the weights belong on the values.", lambda q, k, v: attend(q, k, k)),
            Slip("It has keys and values the wrong way round.", lambda q, k, v: attend(q, v, k)),
            Slip(
                "Every query head reads the first KV head; each group has its own.",
                lambda q, k, v: attend(q, k[:1], v[:1]),
            ),
            Slip(
                "It averages the KV heads; each group reads its own.",
                lambda q, k, v: attend(q, k.mean(0, keepdims=True), v.mean(0, keepdims=True)),
            ),
            Slip(
                "It gives query head h the KV head h // H_kv; divide by the heads of a group, H // H_kv.",
                lambda q, k, v: np.concatenate(
                    [
                        attend(q[h : h + 1], k[j : j + 1], v[j : j + 1])
                        for h in range(len(q))
                        for j in (range(len(k))[h // len(k)],)
                    ]
                ),
            ),
            Slip(
                "It averages the outputs of a group; each query head keeps a row of its own.",
                lambda q, k, v: _group_mean(attend(q, k, v), len(k)),
            ),
            Slip(
                "It averages the queries of a group; each keeps a row of its own.",
                lambda q, k, v: attend(_group_mean(q, len(k)), k, v),
            ),
            Slip(
                "It gives the weights; average the values with them.",
                lambda q, k, v: softmax(
                    q.reshape(len(k), -1, q.shape[1]) @ k.swapaxes(1, 2) * q.shape[1] ** -0.5
                ).reshape(len(q), -1),
            ),
        ),
        where={
            "It is wrong only where scores are large: np.exp(710) is inf. Subtract the largest first.": (
                lambda q, k, v: np.abs(q).max() > 100
            ),
            "It is wrong only where several query heads share a KV head.": lambda q, k, v: len(q) > len(k),
            "It is wrong only where there is more than one KV head.": lambda q, k, v: len(k) > 1,
            "It is wrong only where there are several KV heads, each shared.": lambda q, k, v: (
                len(q) > len(k) > 1
            ),
            "It is wrong only for MHA, where each query head has a KV head of its own.": lambda q, k, v: (
                len(q) == len(k)
            ),
            "It is wrong only for MQA, where there is one KV head.": lambda q, k, v: len(k) == 1,
            "It is wrong only for a cache of one token.": lambda q, k, v: k.shape[1] == 1,
        },
        peak=enough,
        idea="Keys and values need no copy for each query head: put the queries in groups, one a KV head.",
    )


def _group_mean(q, kv_heads):
    groups = q.reshape(kv_heads, -1, q.shape[1])
    return (groups * 0 + groups.mean(1, keepdims=True)).reshape(q.shape)
