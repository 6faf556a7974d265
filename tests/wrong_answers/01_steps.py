"""Wrong answers to the exercises of chapter 01 that write attention."""

import numpy as np


def attend(q, k, v):
    scores = k @ q / np.sqrt(len(q))
    weights = np.exp(scores - scores.max())
    return weights / weights.sum() @ v


def rotate(x, position):
    half = len(x) // 2
    angle = position / 10_000 ** (np.arange(half) / half)
    a, b = x[:half], x[half:]
    return np.concatenate([a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)])


# 01-step


def right(x, k, v, wq, wk, wv):
    k, v = np.vstack([k, x @ wk]), np.vstack([v, x @ wv])
    return attend(x @ wq, k, v), k, v


def before(x, k, v, wq, wk, wv):
    out = attend(x @ wq, k, v)
    return out, np.vstack([k, x @ wk]), np.vstack([v, x @ wv])


def itself(x, k, v, wq, wk, wv):
    new_k, new_v = (x @ wk)[None], (x @ wv)[None]
    return attend(x @ wq, new_k, new_v), np.vstack([k, new_k]), np.vstack([v, new_v])


def newest_first(x, k, v, wq, wk, wv):
    k, v = np.vstack([x @ wk, k]), np.vstack([x @ wv, v])
    return attend(x @ wq, k, v), k, v


def old_cache(x, k, v, wq, wk, wv):
    return right(x, k, v, wq, wk, wv)[0], k, v


def rows(x, k, v, wq, wk, wv):
    return right(x, k, v, wq, wk, wv)[0], x @ wk, x @ wv


def transposed(x, k, v, wq, wk, wv):
    return right(x, k, v, wq.T, wk.T, wv.T)


def all_queries(x, k, v, wq, wk, wv):
    k, v = np.vstack([k, x @ wk]), np.vstack([v, x @ wv])
    return attend(k[-1] @ wq, k, v), k, v


def side_by_side(x, k, v, wq, wk, wv):
    k, v = np.hstack([k, x @ wk]), np.hstack([v, x @ wv])
    return attend(x @ wq, k, v), k, v


def last_dropped(x, k, v, wq, wk, wv):
    """As if the cache had a fixed length."""
    k, v = np.vstack([k[1:], x @ wk]), np.vstack([v[1:], x @ wv])
    return attend(x @ wq, k, v), k, v


def no_values(x, k, v, wq, wk, wv):
    k = np.vstack([k, x @ wk])
    return attend(x @ wq, k, k), k, np.vstack([v, x @ wv])


def appends(x, k, v, wq, wk, wv):
    k.append(x @ wk)
    v.append(x @ wv)
    return attend(x @ wq, k, v), k, v


STEP = [
    (before, "attends before it appends"),
    (itself, "sees itself alone"),
    (newest_first, "the cache is oldest first"),
    (old_cache, "gives the old cache back"),
    (rows, "give the whole longer cache"),
    (lambda *a: right(*a)[0], "gives the attention alone"),
    (lambda *a: (*right(*a)[1:], right(*a)[0]), "three things in another order"),
    (lambda *a: (right(*a)[0], right(*a)[2], right(*a)[1]), "longer k and v the wrong way round"),
    (lambda x, k, v, wq, wk, wv: right(x, k, v, wq, wq, wv), "caches the query in place of the key"),
    (lambda x, k, v, wq, wk, wv: right(x, k, v, wk, wk, wv), "uses the key as the query"),
    (lambda x, k, v, wq, wk, wv: right(x, k, v, wq, wk, wk), "stores the key as the value"),
    (lambda x, k, v, wq, wk, wv: right(x, k, v, wq, wv, wk), "weights the wrong way round"),
    (lambda x, k, v, wq, wk, wv: right(x, k, v, np.eye(len(x)), wk, wv), "Its query is x itself"),
    (lambda x, k, v, wq, wk, wv: right(x, k, v, wq, np.eye(len(x)), np.eye(len(x))), "caches x itself"),
    (transposed, "multiplies from the wrong side"),
    (lambda x, k, v, wq, wk, wv: before(x, k, v, wk, wk, wv), "attends before it appends"),
    (no_values, "averages the keys"),
    (last_dropped, "drops the oldest token"),
    (all_queries, None),  # projects the key once more
    (side_by_side, None),
    (appends, None),
]


# 01-rotary


class Right:
    def __init__(self, wq, wk, wv, window):
        self.wq, self.wk, self.wv, self.window = wq, wk, wv, window
        self.k, self.v, self.n = [], [], 0

    def step(self, x):
        self.put(x)
        self.k, self.v = self.k[-self.window :], self.v[-self.window :]
        q = rotate(x @ self.wq, self.n)
        self.n += 1
        return attend(q, np.array(self.k), np.array(self.v))

    def put(self, x):
        self.k.append(rotate(x @ self.wk, self.n))
        self.v.append(x @ self.wv)


class Unrotated(Right):
    def step(self, x):
        self.n = 0
        return super().step(x)


class Kept(Right):
    def step(self, x):
        self.n = len(self.k)
        return super().step(x)


class EvictsFirst(Right):
    def step(self, x):
        self.k, self.v = self.k[-(self.window - 1) :], self.v[-(self.window - 1) :]
        if self.window == 1:
            self.k, self.v = [], []
        self.n = len(self.k)
        return super().step(x)


class Wrapped(Right):
    """The position in a ring."""

    def step(self, x):
        self.n %= self.window
        return super().step(x)


class Twice(Right):
    def step(self, x):
        self.put(x)
        self.k, self.v = self.k[-self.window :], self.v[-self.window :]
        first = self.n + 1 - len(self.k)
        k = np.array([rotate(k, first + i) for i, k in enumerate(self.k)])
        self.n += 1
        return attend(rotate(x @ self.wq, self.n - 1), k, np.array(self.v))


class Again(Right):
    def put(self, x):
        self.k = [rotate(k, self.n) for k in self.k]
        super().put(x)


class RawKeys(Right):
    def put(self, x):
        self.k.append(x @ self.wk)
        self.v.append(x @ self.wv)


class RawQuery(Right):
    def step(self, x):
        super().step(x)
        return attend(x @ self.wq, np.array(self.k), np.array(self.v))


class Values(Right):
    def put(self, x):
        self.k.append(rotate(x @ self.wk, self.n))
        self.v.append(rotate(x @ self.wv, self.n))


class Before(Right):
    def put(self, x):
        self.k.append(rotate(x, self.n) @ self.wk)
        self.v.append(x @ self.wv)
        self.q = rotate(x, self.n) @ self.wq

    def step(self, x):
        super().step(x)
        return attend(self.q, np.array(self.k), np.array(self.v))


class BeforeAll(Right):
    def step(self, x):
        x = rotate(x, self.n)
        self.k, self.v = [*self.k, x @ self.wk][-self.window :], [*self.v, x @ self.wv][-self.window :]
        self.n += 1
        return attend(x @ self.wq, np.array(self.k), np.array(self.v))


class QueryAhead(Right):
    def step(self, x):
        super().step(x)
        return attend(rotate(x @ self.wq, self.n), np.array(self.k), np.array(self.v))


class KeyAhead(Right):
    def put(self, x):
        self.k.append(rotate(x @ self.wk, self.n + 1))
        self.v.append(x @ self.wv)


class Index(RawKeys):
    """Turns keys by their place in the window."""

    def step(self, x):
        super().step(x)
        k = np.array([rotate(k, i) for i, k in enumerate(self.k)])
        return attend(rotate(x @ self.wq, self.n - 1), k, np.array(self.v))


class Wide(Right):
    """`window` tokens besides the newest one, or all of them."""

    more = 1

    def __init__(self, wq, wk, wv, window):
        super().__init__(wq, wk, wv, window + self.more)


class Endless(Wide):
    more = 10**6


class Narrow(Wide):
    more = -1

    def __init__(self, wq, wk, wv, window):
        super().__init__(wq, wk, wv, max(2, window))


class Oldest(Right):
    def step(self, x):
        self.put(x)
        self.k, self.v = self.k[: self.window], self.v[: self.window]
        self.n += 1
        return attend(rotate(x @ self.wq, self.n - 1), np.array(self.k), np.array(self.v))


class Late(Right):
    def step(self, x):
        q = rotate(x @ self.wq, self.n)
        out = attend(q, np.array(self.k), np.array(self.v)) if self.k else x @ self.wv
        super().step(x)
        return out


class Shared(Right):
    k, v = [], []

    def __init__(self, wq, wk, wv, window):
        self.wq, self.wk, self.wv, self.window, self.n = wq, wk, wv, window, 0

    def step(self, x):
        self.put(x)
        self.n += 1
        k, v = self.k[-self.window :], self.v[-self.window :]
        return attend(rotate(x @ self.wq, self.n - 1), np.array(k), np.array(v))


class AllOfOne(Right):
    """Leaves room for the newest token: of a window of 1 that is [-0:], all of them."""

    def step(self, x):
        self.k, self.v = self.k[-(self.window - 1) :], self.v[-(self.window - 1) :]
        self.put(x)
        self.n += 1
        return attend(rotate(x @ self.wq, self.n - 1), np.array(self.k), np.array(self.v))


class Cleared(Right):
    """Starts anew when the window is full."""

    def step(self, x):
        if len(self.k) == self.window:
            self.k, self.v = [], []
        return super().step(x)


class KeysAlone(Right):
    def step(self, x):
        self.put(x)
        self.k = self.k[-self.window :]
        self.n += 1
        return attend(rotate(x @ self.wq, self.n - 1), np.array(self.k), np.array(self.v))


class Silent(Right):
    def step(self, x):
        super().step(x)


ROTARY = [
    (Unrotated, "every token at the same position"),
    (Kept, "the number of keys it holds for the position"),
    (EvictsFirst, "the number of keys it holds for the position"),
    (Wrapped, "starts again at 0"),
    (Twice, "turns keys twice"),
    (Again, "turns the whole cache again at every step"),
    (RawKeys, "turns the query and not the keys"),
    (RawQuery, "turns the keys and not the query"),
    (Values, "turns the values, too"),
    (Before, "turns x before it is projected"),
    (BeforeAll, "turns x before it is projected"),
    (QueryAhead, "of one token at two positions"),
    (KeyAhead, "of one token at two positions"),
    (Index, "keys by their place in the window"),
    (Wide, "one token too many"),
    (Narrow, "one token too few"),
    (Endless, "It never evicts"),
    (Oldest, "evicts the newest tokens"),
    (Late, "attends before it appends"),
    (Cleared, "It is wrong only once a window of two tokens or more is full"),
    (AllOfOne, "It is wrong only for a window of one token"),
    (KeysAlone, "It evicts keys and keeps their values"),
    (Shared, None),
    (Right(*np.ones((3, 4, 4)), 3), "Hand over the function or class itself"),
]

WRONG = [("01-step", answer, said) for answer, said in STEP]
WRONG += [("01-rotary", answer, said) for answer, said in ROTARY]


def from_lists(x, k, v, wq, wk, wv):
    k, v = [*k, x @ wk], [*v, x @ wv]
    return [attend(x @ wq, np.array(k), np.array(v)), k, v]


def single(*arrays):
    return right(*(a.astype("float32") for a in arrays))


class FromOne(Right):
    """Positions may start anywhere: only distances count."""

    def __init__(self, *args):
        super().__init__(*args)
        self.n = 1


class TurnsAsItReads(RawKeys):
    def step(self, x):
        super().step(x)
        k = np.array([rotate(k, i) for i, k in enumerate(self.k)])
        return attend(rotate(x @ self.wq, len(k) - 1), k, np.array(self.v))


RIGHT = [
    ("01-step", right),
    ("01-step", from_lists),
    ("01-step", single),
    ("01-rotary", Right),
    ("01-rotary", FromOne),
    ("01-rotary", TurnsAsItReads),
]
