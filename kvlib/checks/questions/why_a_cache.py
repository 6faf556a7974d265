"""Questions of chapter 01, why a cache."""

from .common import question
from .old import Choice, Each, Function, Number


@question("01-count", points=2)
def _count():
    prompt, new = 6, 4
    lengths = range(prompt, prompt + new)
    last = "You go one step too far: no step follows the last new token, so nothing projects it."
    return Each(
        {
            "without": Number(
                sum(lengths),
                {
                    last: sum(lengths) + prompt + new,
                    "You start a token late: the first step reads the prompt alone.": sum(lengths) + new,
                    "You project the prompt at every step and forget the tokens made since.": prompt * new,
                    "You count the cached way: without a cache, every step starts from nothing.": prompt
                    + new
                    - 1,
                    "You count the last step only; add up all of them.": lengths[-1],
                },
                idea="Write down the number of tokens that each step looks at, and add.",
            ),
            "with": Number(
                prompt + new - 1,
                {
                    last: prompt + new,
                    "You forget the first step: it projects the whole prompt.": new,
                    "You stop at the prompt: each later step projects one token.": prompt,
                    "You count the steps without a cache.": sum(lengths),
                },
                idea="The first step fills the cache; how many tokens does each later step project?",
            ),
        }
    )


@question("01-projections", points=2)
def _projections():
    def reference(prompt, new, use_cache):
        return prompt + new - 1 if use_cache else sum(range(prompt, prompt + new))

    def cases(rng):
        yield from ((1, 1, True), (1, 1, False), (4, 3, False), (4, 3, True))
        for _ in range(20):
            yield rng.randint(1, 50), rng.randint(2, 50), rng.random() < 0.5

    return Function(
        reference,
        cases,
        {
            "It counts the last new token too, which no step projects.": lambda p, n, c: (
                p + n if c else sum(range(p, p + n + 1))
            ),
            "Without a cache, it starts a token late: the first step reads the prompt alone.": (
                lambda p, n, c: p + n - 1 if c else sum(range(p + 1, p + n + 1))
            ),
            "It gives the count without a cache even when there is one.": lambda p, n, c: reference(
                p, n, False
            ),
            "It gives the count with a cache even when there is none.": lambda p, n, c: reference(p, n, True),
            "It has the two cases the wrong way round.": lambda p, n, c: reference(p, n, not c),
            "Without a cache, it forgets that the sequence grows by a token a step.": lambda p, n, c: (
                p + n - 1 if c else p * n
            ),
            "With a cache, it forgets the first step, which projects the prompt.": lambda p, n, c: (
                n - 1 if c else reference(p, n, c)
            ),
        },
        idea="Try a prompt of 4 and 3 new tokens by hand.",
    )


def _softmax(scores):
    import numpy as np

    weights = np.exp(scores - scores.max())
    return weights / weights.sum()


@question("01-attend", points=2)
def _attend():
    import numpy as np

    def attend(q, k, v, scale=0.5, weigh=_softmax):
        return weigh((k @ q) * len(q) ** -scale) @ v

    def cases(rng):
        numbers = np.random.default_rng(0)
        for _ in range(8):
            length, width = rng.randint(2, 7), rng.choice([2, 8, 16])
            yield numbers.normal(size=width), *(2 * numbers.normal(size=(2, length, width)))

    def no_shift(scores):
        return np.exp(scores)

    return Function(
        lambda q, k, v: attend(q, k, v),
        cases,
        {
            "It leaves out the division by the square root of the width.": lambda q, k, v: attend(q, k, v, 0),
            "It divides by the width, not by its square root.": lambda q, k, v: attend(q, k, v, 1),
            "Its weights do not add up to 1: the softmax divides by their sum.": lambda q, k, v: attend(
                q, k, v, weigh=no_shift
            ),
            "It leaves out the softmax.": lambda q, k, v: attend(q, k, v, weigh=lambda s: s),
            "It averages the keys: the weights belong on the values.": lambda q, k, v: attend(q, k, k),
            "It gives the weights; average the values with them.": lambda q, k, v: _softmax(
                k @ q / np.sqrt(len(q))
            ),
        },
        idea="Three steps: scores, weights that add up to 1, and v averaged with them.",
    )


@question("01-step", points=3)
def _step():
    import numpy as np

    def step(x, k, v, wq, wk, wv, late=False, before=False, key=None):
        new_k = np.vstack(
            [x @ (wk if key is None else key), k] if before else [k, x @ (wk if key is None else key)]
        )
        new_v = np.vstack([x @ wv, v] if before else [v, x @ wv])
        seen_k, seen_v = (k, v) if late else (new_k, new_v)
        return _softmax(seen_k @ (x @ wq) / np.sqrt(k.shape[1])) @ seen_v, new_k, new_v

    def forgets(x, k, v, wq, wk, wv):
        return step(x, k, v, wq, wk, wv)[0], k, v

    def cases(rng):
        numbers = np.random.default_rng(0)
        for _ in range(8):
            length, width = rng.randint(1, 6), rng.choice([2, 4, 8])
            yield (
                numbers.normal(size=width),
                *numbers.normal(size=(2, length, width)),
                *numbers.normal(size=(3, width, width)),
            )

    return Function(
        lambda x, k, v, wq, wk, wv: step(x, k, v, wq, wk, wv),
        cases,
        {
            "It attends before it appends: the new token must see itself.": lambda *a: step(*a, late=True),
            "It puts the new key and value first; the cache is oldest first.": lambda *a: step(
                *a, before=True
            ),
            "It gives the old cache back: the next step would miss this token.": forgets,
            "It caches the query in place of the key.": lambda x, k, v, wq, wk, wv: step(
                x, k, v, wq, wk, wv, key=wq
            ),
        },
        idea="Three things come back: the attention of x, the longer k, the longer v.",
    )


@question("01-no-queries")
def _no_queries():
    return Choice(
        "c",
        {
            "a": "Queries are as wide as one head's keys; with GQA there are even more of them.",
            "b": "A past token's query stays as it was. Ask who would read it again.",
            "d": "Queries, keys and values come alike from one product with a weight matrix.",
        },
    )


@question("01-growth", points=2)
def _growth():
    n = 3000
    with_cache, without = sum(range(1, n + 1)), sum(t * t for t in range(1, n + 1))
    return Number(
        without / with_cache,
        {
            "You compare the last step alone. Earlier steps are shorter: add up both columns first.": n,
            "You compare all of one generation with one step of the other.": without / n,
            "You fill half of each square; the problem fills all of it.": (without + with_cache)
            / 2
            / with_cache,
            "You turn the ratio round: how many times more is it without a cache?": with_cache / without,
            "You square the number of tokens. The two totals grow as its cube and its square: what does"
            " their ratio grow as?": n * n,
        },
        tol=0.005,
        idea="Add up the squares of 1 to 3,000, add up 1 to 3,000, and divide.",
    )


@question("01-trade")
def _trade():
    return Choice(
        "b",
        {
            "a": "Nothing is approximated: the text is the same, up to rounding.",
            "c": "The other way round: the weights stay as they are and the cache comes on top.",
            "d": "A long context is a memory problem too: the cache keeps something of every token.",
        },
    )
