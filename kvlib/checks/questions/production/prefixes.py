"""A cache of prompts' prefixes: blocks known by a chain of hashes, the least recently used given up."""

from ...answers import Function, Slip
from ...calls import Call
from ..common import question


class _Prefixes:
    """What 10-prefix asks for; each slip changes one method or one word."""

    full = last = chain = refreshes = stops = True
    deepest_first = True
    newest = False

    def __init__(self, capacity, block_size):
        self.capacity, self.block_size, self.kept = capacity, block_size, {}

    def keys(self, tokens):
        keys, before = [], ()
        end = len(tokens) if not self.full else len(tokens) // self.block_size * self.block_size
        for start in range(0, end, self.block_size):
            block = tuple(tokens[start : start + self.block_size])
            before = (before, block) if self.chain else block
            keys.append(before)
        return keys

    def hits(self, keys, tokens):
        most = (len(tokens) - 1) // self.block_size if self.last else len(keys)
        there = [key in self.kept for key in keys[:most]]
        return there.index(False) if self.stops and False in there else sum(there)

    def store(self, keys):
        for key in reversed(keys) if self.deepest_first else keys:
            if key in self.kept and not self.refreshes:
                continue
            self.kept.pop(key, None)
            self.kept[key] = None

    def evict(self):
        while len(self.kept) > self.capacity:
            del self.kept[list(self.kept)[-1 if self.newest else 0]]

    def serve(self, tokens):
        keys = self.keys(tokens)
        found = self.hits(keys, tokens)
        self.store(keys)
        self.evict()
        return self.said(found, tokens)

    def said(self, found, tokens):
        return found * self.block_size


def _with(**words):
    """The class with some of its words or methods changed."""
    return type("Changed", (_Prefixes,), words)


def _places(self, tokens):
    blocks = _Prefixes.keys(_with(chain=False)(self.capacity, self.block_size), tokens)
    return list(enumerate(blocks))


def _common(self, keys, tokens):
    """The longest beginning that any earlier prompt shares, token by token."""
    before = self.__dict__.setdefault("prompts", [])
    shared = [
        next((i for i, (a, b) in enumerate(zip(p, tokens, strict=False)) if a != b), min(len(p), len(tokens)))
        for p in before
    ]
    before.append(list(tokens))
    return max(shared, default=0) / self.block_size


def _all(self, keys, tokens):
    found = _Prefixes.hits(self, keys, tokens)
    return found if found == (len(tokens) - 1) // self.block_size else 0


def _late(self, tokens):
    keys = self.keys(tokens)
    self.store(keys)
    self.evict()
    return self.said(self.hits(keys, tokens), tokens)


def _first(self, tokens):
    keys = self.keys(tokens)
    found = self.hits(keys, tokens)
    self.evict()
    self.store(keys)
    return self.said(found, tokens)


def _before(self, tokens):
    keys = self.keys(tokens)
    for key in keys:
        self.kept.setdefault(key, None)
    found = self.hits(keys, tokens)
    self.store(keys)
    self.evict()
    return self.said(found, tokens)


def _not_last(self, tokens):
    return _Prefixes.keys(self, tokens[:-1])


def _whole(self, tokens):
    return [tuple(tokens)] * (len(tokens) // self.block_size)


def _sums(self, tokens):
    size = self.block_size
    return [sum(tokens[:end]) for end in range(size, len(tokens) + 1, size)]


def _sorted(self, tokens):
    size = self.block_size
    blocks = [tuple(sorted(tokens[end - size : end])) for end in range(size, len(tokens) + 1, size)]
    return [tuple(blocks[: i + 1]) for i in range(len(blocks))]


def _only_new(self, keys):
    if not any(key in self.kept for key in keys):
        _Prefixes.store(self, keys)


def _one(self):
    if len(self.kept) > self.capacity:
        del self.kept[next(iter(self.kept))]


def _clear(self):
    if len(self.kept) > self.capacity:
        self.kept.clear()


def _tokens(self):
    while len(self.kept) * self.block_size > self.capacity:
        del self.kept[next(iter(self.kept))]


def _early(self):
    while len(self.kept) >= self.capacity:
        del self.kept[next(iter(self.kept))]


class _Together(_Prefixes):
    """All objects share one store, which is empty when the scripts begin."""

    everyone: dict = {}

    def serve(self, tokens):
        if list(tokens) == BEGIN:
            self.everyone.clear()
        self.kept = self.everyone
        return super().serve(tokens)


class _Twice(_Prefixes):
    """A list of blocks, in which one that is used again stands again."""

    def __init__(self, capacity, block_size):
        super().__init__(capacity, block_size)
        self.kept = []

    def store(self, keys):
        self.kept += reversed(keys)

    def evict(self):
        del self.kept[: max(0, len(self.kept) - self.capacity)]


BEGIN = [7, 7, 1]  # the first prompt of the first script


def _scripts(rng):
    """Scripts of prompts that share beginnings, and some of them only blocks or places."""

    def prompt(*parts):
        return [token for part in parts for token in part]

    def script(capacity, size, prompts, spoil=False):
        return [Call("", (capacity, size)), *(Call("serve", (list(p),), spoil) for p in prompts)]

    a, b, c = [1, 2], [3, 4], [5, 6]
    yield script(8, 2, [BEGIN, prompt(a, b, [9]), prompt(a, b, [8])])
    yield script(8, 2, [prompt(a, b), prompt(a, b)])
    yield script(8, 2, [prompt(a, b, c), prompt(c, b, [7])])
    yield script(8, 2, [prompt(a, b, c), prompt(b, c, [7])])
    yield script(8, 2, [prompt(a, b, [5]), prompt(a, b, [5], [7])])
    yield script(
        3,
        2,
        [prompt(a, [9]), prompt(b, [9]), prompt(a, [9]), prompt(c, c, [9]), prompt(a, [9]), prompt(b, [9])],
    )
    yield script(2, 2, [prompt(a, b, c), prompt(a, b, c)])
    yield script(3, 2, [prompt(b, [9]), *3 * [prompt(a, [9])], prompt(b, [9])])
    yield script(8, 2, [prompt(a, b, [9]), prompt(a, b, [8])], spoil=True)
    for _ in range(26):
        size = rng.choice([2, 3, 4])
        begin = [[rng.randint(1, 3) for _ in range(size)] for _ in range(4)]
        prompts = []
        for _ in range(rng.randint(5, 9)):
            blocks = [rng.choice(begin) for _ in range(rng.randint(1, 4))]
            prompts.append(prompt(*blocks, [rng.randint(1, 9) for _ in range(rng.randint(0, size - 1))]))
        yield script(rng.randint(2, 7), size, prompts)


@question("10-prefix", points=6, kind="code", minutes=20)
def _prefix():
    lru = "It gives up the wrong blocks"
    wrong = {
        "It knows a block by its own tokens alone; its keys depend on all before: chain them.": _with(
            chain=False
        ),
        "It knows a block by its tokens and its place. What stands before must be the same, too.": _with(
            keys=_places
        ),
        "It keeps blocks that are not full.": _with(full=False),
        "It finds the whole prompt; the last token must be computed, for the next to come from it.": _with(
            last=False
        ),
        "It counts tokens that are shared; only whole blocks are found.": _with(hits=_common),
        "It gives all tokens but the last; the whole block that holds the last one does not count.": _with(
            last=False, said=lambda self, found, tokens: min(found * self.block_size, len(tokens) - 1)
        ),
        "It finds all blocks or none; what is there of the beginning counts.": _with(hits=_all),
        "It looks after it has put the prompt in, and finds itself.": _with(serve=_late),
        "It makes room before it puts the prompt in, and may hold too many afterwards.": _with(serve=_first),
        "It gives the number of blocks; tokens are asked for.": _with(said=lambda self, found, tokens: found),
        "It gives the tokens to compute; those that are found are asked for.": _with(
            said=lambda self, found, tokens: len(tokens) - found * self.block_size
        ),
        f"{lru}: a block that is found counts as used again, and the oldest use goes first.": _with(
            refreshes=False
        ),
        f"{lru}: the newest go, where the least recently used should.": _with(newest=True),
        f"{lru}: of one prompt, the last block goes before the first.": _with(deepest_first=False),
        "It never gives a block up: there is room for capacity blocks.": _with(evict=lambda self: None),
        "It gives up everything when it is full; give up only what is too much.": _with(evict=_clear),
        "It gives up one block a prompt; a prompt can bring several.": _with(evict=_one),
        "It takes capacity for tokens; it is in blocks.": _with(evict=_tokens),
        "It gives up a block too many: capacity blocks may stay.": _with(evict=_early),
        "It looks for one block fewer than it may: only the block of the last token never counts.": _with(
            hits=lambda self, keys, tokens: min(
                _Prefixes.hits(self, keys, tokens), max(0, len(tokens) // self.block_size - 1)
            )
        ),
        "It puts the prompt in before it looks, and finds itself.": _with(serve=_before),
        "It leaves out a last block that is just full; all full blocks are kept.": _with(keys=_not_last),
        "It knows a prompt by all its tokens; a beginning that two share must be found, too.": _with(
            keys=_whole
        ),
        "It adds the tokens up for a name; other tokens can have the same sum.": _with(keys=_sums),
        "It does not look at the order of the tokens in a block: sets and sorted lists lose it.": _with(
            keys=_sorted
        ),
        "It takes blocks for known by themselves alone, and counts the block of the last token, too.": _with(
            chain=False, last=False
        ),
        "It keeps nothing of a prompt of which something was found: its new blocks belong in, too.": _with(
            store=_only_new
        ),
        "It keeps nothing: what a prompt brings must be found by the next.": _with(
            store=lambda self, keys: None
        ),
        "It keeps one block more than once; a block that is used again only moves.": _Twice,
        "All caches share one store; each object needs its own, made in __init__.": _Together,
    }
    # Only a store that has lost a beginning has gaps; whether one stops at them is another matter.
    slips = [Slip(said, one) for said, one in wrong.items()]
    slips += [Slip(said, type("Changed", (one,), dict(stops=False))) for said, one in wrong.items()]
    return Function(
        _Prefixes,
        _scripts,
        tuple(slips),
        idea="Follow the script by hand: note the kept blocks in the order of their last use.",
    )
