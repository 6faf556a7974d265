"""A question of chapter 01: a cached step with rotary positions and a window, in NumPy."""

from ...answers import Function, Slip
from ...calls import Call
from ..common import question
from .steps import attend, rotate

STUCK = (
    "It takes the number of keys it holds for the position. Once old ones are evicted, that number stays the"
    " same while the text goes on."
)
APART = "It has the query and the key of one token at two positions: count on after both."


class Rotary:
    """What 01-rotary asks for; a subclass changes one thing and is a mistake."""

    def __init__(self, wq, wk, wv, window):
        self.weights, self.window = (wq, wk, wv), window
        self.seen, self.k, self.v = 0, [], []

    def position(self):
        return self.seen

    def project(self, x):
        wq, wk, wv = self.weights
        return self.turned(x @ wq, self.position()), self.turned(x @ wk, self.position()), x @ wv

    def turned(self, x, position):
        return rotate(x, position)

    def evict(self):
        del self.k[: -self.window], self.v[: -self.window]

    def read(self):
        import numpy as np

        return np.array(self.k), np.array(self.v)

    def step(self, x):
        q, k, v = self.project(x)
        self.k.append(k)
        self.v.append(v)
        self.evict()
        self.seen += 1
        return attend(q, *self.read())


class _Restarts(Rotary):
    def position(self):
        return 0


class _Kept(Rotary):
    """Its position is the number of keys it holds, which stops growing once the window is full."""

    def position(self):
        return len(self.k)


class _Slides(Rotary):
    """Counts its keys before it appends the new one, and again after the oldest is evicted."""

    def step(self, x):
        wq, wk, wv = self.weights
        self.k.append(rotate(x @ wk, len(self.k)))
        self.v.append(x @ wv)
        self.evict()
        return attend(rotate(x @ wq, len(self.k) - 1), *self.read())


class _Evicts(Rotary):
    """Evicts first, and then takes the number of keys for the position."""

    def position(self):
        return min(len(self.k), self.window - 1)


class _Twice(Rotary):
    """Stores turned keys and turns them all again as it reads."""

    def read(self):
        import numpy as np

        first = self.seen - len(self.k)
        return np.array([rotate(k, first + i) for i, k in enumerate(self.k)]), np.array(self.v)


class _Accumulates(Rotary):
    """Turns all that is in the cache again at every step."""

    def step(self, x):
        out = super().step(x)
        self.k = [rotate(k, self.seen) for k in self.k]
        return out


class _Query(Rotary):
    def project(self, x):
        return x @ self.weights[0], *super().project(x)[1:]


class _Key(Rotary):
    def project(self, x):
        q, _, v = super().project(x)
        return q, x @ self.weights[1], v


class _Values(Rotary):
    def project(self, x):
        q, k, v = super().project(x)
        return q, k, rotate(v, self.seen)


class _Before(Rotary):
    def project(self, x):
        x_turned = rotate(x, self.seen)
        return x_turned @ self.weights[0], x_turned @ self.weights[1], x @ self.weights[2]


class _BeforeAll(Rotary):
    def project(self, x):
        wq, wk, wv = self.weights
        x = rotate(x, self.seen)
        return x @ wq, x @ wk, x @ wv


class _Wraps(Rotary):
    def position(self):
        return self.seen % self.window


class _Ahead(Rotary):
    def project(self, x):
        _, k, v = super().project(x)
        return rotate(x @ self.weights[0], self.seen + 1), k, v


class _Behind(Rotary):
    def project(self, x):
        q, _, v = super().project(x)
        return q, rotate(x @ self.weights[1], self.seen + 1), v


class _Unbounded(Rotary):
    def evict(self):
        pass


class _OneMore(Rotary):
    def evict(self):
        del self.k[: -self.window - 1], self.v[: -self.window - 1]


class _OneFewer(Rotary):
    def evict(self):
        most = max(1, self.window - 1)
        del self.k[:-most], self.v[:-most]


class _OneFewerSliced(Rotary):
    """A slice of -window + 1 keeps all where the window is 1."""

    def evict(self):
        del self.k[: len(self.k[: -self.window + 1])], self.v[: len(self.v[: -self.window + 1])]


class _Swapped(Rotary):
    def read(self):
        return super().read()[::-1]


class _KeysAlone(Rotary):
    def evict(self):
        del self.k[: -self.window]


class _Newest(Rotary):
    def evict(self):
        del self.k[self.window :], self.v[self.window :]


class _Itself(Rotary):
    """Attends before it appends."""

    def step(self, x):
        q, k, v = self.project(x)
        out = attend(q, *self.read()) if self.k else v
        super().step(x)
        return out


class _Index(Rotary):
    """Stores keys as they are and turns them, as it reads, by their place in the window."""

    def project(self, x):
        wq, wk, wv = self.weights
        return rotate(x @ wq, self.seen), x @ wk, x @ wv

    def read(self):
        import numpy as np

        return np.array([rotate(k, i) for i, k in enumerate(self.k)]), np.array(self.v)


@question("01-rotary", points=5, kind="code", minutes=20, needs=("numpy",))
def _rotary():
    import numpy as np

    def cases(rng):
        numbers = np.random.default_rng(rng.randrange(2**32))
        for window, steps in ((9, 1), (9, 2), (9, 6), (3, 7), (2, 5), (4, 9), (1, 3)):
            width = rng.choice([4, 8])
            made = Call("", (*numbers.normal(size=(3, width, width)), window))
            yield [made, *(Call("step", (x,)) for x in numbers.normal(size=(steps, width)))]

    return Function(
        Rotary,
        cases,
        (
            Slip(
                "It has every token at the same position: turn its query and its key by its own place in the"
                " text.",
                _Restarts,
            ),
            Slip(
                "Its position starts again at 0 after each `window` tokens; the text goes on, and so do"
                " positions.",
                _Wraps,
            ),
            Slip(STUCK, _Kept),
            Slip(STUCK, _Evicts),
            Slip(STUCK, _Slides),
            Slip(
                "It turns keys by their place in the window and the query by its place in the text:"
                " count both from the same token.",
                _Index,
            ),
            Slip(
                "It turns keys twice: they are turned when they are stored, and once more when read.", _Twice
            ),
            Slip("It turns the whole cache again at every step: a key is turned once.", _Accumulates),
            Slip("It turns the keys and not the query.", _Query),
            Slip("It turns the query and not the keys.", _Key),
            Slip("It turns the values, too: only queries and keys carry positions.", _Values),
            Slip("It turns x before it is projected; turn its query and its key.", _Before),
            Slip("It turns x before it is projected; turn its query and its key.", _BeforeAll),
            Slip(APART, _Ahead),
            Slip(APART, _Behind),
            Slip("It never evicts: a step reads the last `window` tokens.", _Unbounded),
            Slip("It keeps one token too many: the newest is one of the `window`.", _OneMore),
            Slip("It keeps one token too few: the newest is one of the `window`, not beside it.", _OneFewer),
            Slip(
                "It keeps one token too few: the newest is one of the `window`, not beside it.",
                _OneFewerSliced,
            ),
            Slip("It evicts keys and keeps their values: both go.", _KeysAlone),
            Slip("It has keys and values the wrong way round.", _Swapped),
            Slip("It evicts the newest tokens; the oldest go.", _Newest),
            Slip("It attends before it appends: the new token must see itself.", _Itself),
        ),
        where={
            "It is wrong only once the window is full.": lambda made, *steps: len(steps) > made.args[3],
            "It is wrong only once a window of two tokens or more is full.": (
                lambda made, *steps: len(steps) > made.args[3] > 1
            ),
            "It is wrong only for a window of one token.": lambda made, *steps: made.args[3] == 1,
        },
        idea="Compare with a step that keeps all tokens and turns each key anew from its own position.",
    )
