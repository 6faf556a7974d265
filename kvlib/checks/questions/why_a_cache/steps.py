"""A question of chapter 01: a step of attention with a cache, in NumPy."""

from ...answers import Function, Slip
from ..common import question


def attend(q, k, v):
    """One query [D] over keys and values [S, D]."""
    import numpy as np

    scores = k @ q / np.sqrt(len(q))
    weights = np.exp(scores - scores.max())
    return weights / weights.sum() @ v


def rotate(x, position):
    """`x` [D] turned by its position: numbers i and i + D/2 are a pair."""
    import numpy as np

    half = len(x) // 2
    angle = position / 10_000 ** (np.arange(half) / half)
    a, b = x[:half], x[half:]
    return np.concatenate([a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)])


@question("01-step", points=3, kind="code", minutes=8, needs=("numpy",))
def _step():
    import numpy as np

    def step(x, k, v, wq, wk, wv):
        k, v = np.vstack([k, x @ wk]), np.vstack([v, x @ wv])
        return attend(x @ wq, k, v), k, v

    def cases(rng):
        numbers = np.random.default_rng(rng.randrange(2**32))
        for _ in range(8):
            length, width = rng.randint(1, 6), rng.choice([2, 4, 8])
            yield (
                numbers.normal(size=width),
                *numbers.normal(size=(2, length, width)),
                *numbers.normal(size=(3, width, width)),
            )

    def late(x, k, v, wq, wk, wv):
        return attend(x @ wq, k, v), *step(x, k, v, wq, wk, wv)[1:]

    def first(x, k, v, wq, wk, wv):
        k, v = np.vstack([x @ wk, k]), np.vstack([x @ wv, v])
        return attend(x @ wq, k, v), k, v

    def rows(x, k, v, wq, wk, wv):
        return step(x, k, v, wq, wk, wv)[0], x @ wk, x @ wv

    def itself(x, k, v, wq, wk, wv):
        return attend(x @ wq, (x @ wk)[None], (x @ wv)[None]), *step(x, k, v, wq, wk, wv)[1:]

    def full(x, k, v, wq, wk, wv):
        return step(x, k[1:], v[1:], wq, wk, wv)

    def keys(x, k, v, wq, wk, wv):
        _, k, v = step(x, k, v, wq, wk, wv)
        return attend(x @ wq, k, k), k, v

    def again(x, k, v, wq, wk, wv):
        k, v = np.vstack([k, x]) @ wk, np.vstack([v, x]) @ wv
        return attend(x @ wq, k, v), k, v

    def old(*which):
        """One of the two is given back as it was."""
        return lambda *args: tuple(args[i] if i in which else step(*args)[i] for i in range(3))

    def turned(ahead):
        """With positions, as if the cache held keys that are turned; the query `ahead` of its key."""

        def run(x, k, v, wq, wk, wv):
            longer, v = np.vstack([k, rotate(x @ wk, len(k))]), np.vstack([v, x @ wv])
            return attend(rotate(x @ wq, len(k) + ahead), longer, v), longer, v

        return run

    one = np.eye
    return Function(
        step,
        cases,
        (
            Slip("It attends before it appends: the new token must see itself.", late),
            Slip("The new token sees itself alone: it attends to all that is in the cache, too.", itself),
            Slip("It puts the new key and value first; the cache is oldest first.", first),
            Slip(
                "It gives the old cache back: the next step would miss this token.",
                lambda x, k, v, wq, wk, wv: (step(x, k, v, wq, wk, wv)[0], k, v),
            ),
            Slip("It gives the new token's key and value; give the whole longer cache.", rows),
            Slip(
                "It gives the attention alone; the longer k and v are needed at the next step.",
                lambda *args: step(*args)[0],
            ),
            Slip(
                "It gives the three things in another order.",
                lambda *args: (*step(*args)[1:], step(*args)[0]),
            ),
            Slip(
                "It has the longer k and v the wrong way round.",
                lambda *args: tuple(step(*args)[i] for i in (0, 2, 1)),
            ),
            Slip("It averages the keys: the weights belong on the values.", keys),
            Slip("It drops the oldest token; here nothing is evicted.", full),
            Slip("It projects the whole cache again: what it holds are keys and values already.", again),
            Slip("It gives the old v back: both k and v have grown by a row.", old(2)),
            Slip("It gives the old k back: both k and v have grown by a row.", old(1)),
            *(
                Slip("It turns query and key by a position: there are none in this exercise.", turned(ahead))
                for ahead in (0, 1)
            ),
            Slip("It caches the query in place of the key.", wk=lambda n: n["wq"]),
            Slip("It uses the key as the query: project x with wq.", wq=lambda n: n["wk"]),
            Slip("It stores the key as the value, too: project x with wv.", wv=lambda n: n["wk"]),
            Slip("It has the keys' and values' weights the wrong way round.", _swapped(step)),
            Slip("Its query is x itself: project it with wq.", wq=lambda n: one(len(n["x"]))),
            Slip(
                "It caches x itself: project it with wk and wv.",
                wk=lambda n: one(len(n["x"])),
                wv=lambda n: one(len(n["x"])),
            ),
            Slip(
                "It multiplies from the wrong side: a token is projected by x @ w, not by w @ x.",
                wq=lambda n: n["wq"].T,
                wk=lambda n: n["wk"].T,
                wv=lambda n: n["wv"].T,
            ),
        ),
        idea="Three things come back: the attention of x, the longer k, the longer v.",
    )


def _swapped(step):
    return lambda x, k, v, wq, wk, wv: step(x, k, v, wq, wv, wk)
