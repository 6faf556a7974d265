"""Two prompts cut into blocks, the chained hash of each, and a prefix cache that requests find them in.

Words are the tokens. `Story` plays the requests on `kvlib.serving.PrefixCache`; prefix_cache.model.js does
the same in the page, which so can follow what the reader writes.
"""

import re
from dataclasses import dataclass

import traitlets

from ..serving import PrefixCache as Cache
from .base import Choice, Figure, Table, Whole, constant

MOST = 400  # characters of a prompt, in UTF-16, as the page counts them
REQUESTS = 5
SENT = ("A", "B", "other")
A = (
    "You are a patient librarian. Answer in one short sentence. Who wrote Middlemarch? "
    "Name the shelf as well, and the year of the first edition."
)


class Text(traitlets.TraitType):
    """A text of at most MOST characters; ValueError otherwise. Half a surrogate pair becomes U+FFFD."""

    def __init__(self, default):
        super().__init__(default)
        self.tag(sync=True)

    def validate(self, owner, value):
        if not isinstance(value, str):
            raise ValueError(f"{self.name} must be a text, not {value!r}")
        if len(value.encode("utf-16-le", "surrogatepass")) > 2 * MOST:
            raise ValueError(f"{self.name} must be at most {MOST} characters long, not {len(value):,}")
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def words(text: str) -> list[str]:
    """The words of a text, its tokens here: what stands between blanks, tabs and ends of lines."""
    return re.findall(r"[^ \t\n\v\f\r]+", text)


@dataclass(frozen=True)
class Moment:
    """One step of the story.

    kind     "start", "look" (up), "compute" or "release"
    request  which request it is about, from 1; 0 at the start
    found    the blocks that its prompt finds
    table    its block table, once computed
    evicted  (block, name) of each block that lost its name at this step
    said     what happens, in a sentence or two
    names, refs   of each block of the memory, after this step
    free     the free blocks, the next to be taken first
    hits, queries   words found, words asked for, of all requests computed so far
    """

    kind: str
    request: int
    found: tuple
    table: tuple
    evicted: tuple
    said: str
    names: tuple
    refs: tuple
    free: tuple
    hits: int
    queries: int


def many(n: int, one: str) -> str:
    """A count with its noun: "1 word", "2 words"."""
    return f"{n:,} {one}{'' if n == 1 else 's'}"


def listed(numbers) -> str:
    """[3, 4, 9] -> "3, 4 and 9"."""
    *most, last = map(str, numbers)
    return f"{', '.join(most)} and {last}" if most else last


def be(n: int) -> str:
    return "is" if n == 1 else "are"


class Story:
    """The requests on one cache: each is looked up, then computed, and answered once the next is computed.

    A request that finds no room waits until the one before has been answered. One that the whole memory
    cannot hold is refused.
    """

    def __init__(self, sent: list[tuple[str, list[str]]], memory: int, size: int):
        self.cache, self.sent, self.moments = Cache(memory, size), sent, []
        self.add("start", 0, f"The memory is empty: {many(memory, 'block')} of {many(size, 'word')} each.")
        for i in range(1, len(sent) + 1):
            waits = self.look(i)
            for step in [self.release, self.compute] if waits else [self.compute, self.release]:
                step(i if step == self.compute else i - 1)
        self.release(len(sent))

    def add(self, kind, request, said, found=(), table=(), evicted=()):
        cache, blocks = self.cache, range(self.cache.num_blocks)
        names, refs = tuple(map(cache.name, blocks)), tuple(map(cache.refs, blocks))
        now = (names, refs, cache.free, cache.hits, cache.queries)
        self.moments.append(Moment(kind, request, tuple(found), tuple(table), tuple(evicted), said, *now))

    def of(self, i):
        """A request's name in a sentence, its words, and how many blocks they take."""
        who, prompt = self.sent[i - 1]
        name = "another user’s" if who == "other" else who
        return f"Request {i}, {name},", prompt, -(-len(prompt) // self.cache.block_size)

    def holds(self, i):
        return 0 < self.of(i)[2] <= self.cache.num_blocks

    def look(self, i) -> bool:
        name, prompt, blocks = self.of(i)
        if not prompt:
            self.add("look", i, f"{name} has no word: nothing is sent.")
            return False
        cache, size = self.cache, self.cache.block_size
        found = cache.lookup(prompt)
        n, covered = len(found), many(len(found) * size, "word")
        again = len(prompt) % size == 0 and len(cache.lookup([*prompt, ""])) == blocks
        where = (
            "It fills no block, so it has none to look for." if len(prompt) < size
            else f"Its first block, {covered}, is found." if n == 1
            else f"Its first {n} blocks, {covered}, are found." if n
            else "None of its blocks is found." if not again
            else ""
        )  # fmt: skip
        if again:
            where += f"{' ' * bool(n)}Its {'last' if n else 'only'} block is in the cache{' too' * bool(n)}, "
            where += "but the last word is always computed, with its block."
        asked, free = cache.needs(prompt), len(cache.free)
        if waits := self.holds(i) and asked > free:
            where += f" It needs {many(asked, 'free block')} and there {be(free)} {free}: it waits."
        self.add("look", i, f"{name} is looked up: {many(len(prompt), 'word')}. {where}", found)
        return waits

    def compute(self, i):
        name, prompt, blocks = self.of(i)
        if not prompt:
            return self.add("compute", i, f"{name} has no word: nothing is computed.")
        if not self.holds(i):
            said = f"{name} is refused: it needs {blocks} blocks, and the memory has {self.cache.num_blocks}."
            return self.add("compute", i, said)
        got = self.cache.admit(i, prompt)
        own, n = got.blocks[got.hits :], len(prompt) - got.cached
        said = f"{name} computes {many(n, 'word')}{f' of {len(prompt):,}' if got.hits else ''} and takes "
        said += f"{'block' if len(own) == 1 else 'blocks'} {listed(own)}."
        if got.evicted:
            said += f" Evicted, as free for longest: {listed(block for block, _ in got.evicted)}."
        return self.add("compute", i, said, got.blocks[: got.hits], got.blocks, got.evicted)

    def release(self, i):
        if not i:
            return None
        name, prompt, blocks = self.of(i)
        if not self.holds(i):
            return self.add("release", i, f"{name} was not computed: it has nothing to give back.")
        table = self.cache.table(i)
        self.cache.release(i)
        freed = sum(not self.cache.refs(block) for block in table)
        said = f"{name} is answered. {freed} of its {many(blocks, 'block')} {be(freed)} free now"
        said += ", to be found until they are taken, the last one first." if freed else "; others use them."
        if len(prompt) % self.cache.block_size:
            said += f" Block {table[-1]} is not full, so it has no name and goes to the front."
        return self.add("release", i, said, table=table)


class PrefixCache(Figure):
    """Two prompts and other users' traffic on one prefix cache, step by step.

    PrefixCache(a="…", b="…", block_size=4, memory=16): the prompts, their words being the tokens; words in a
    block; blocks in the memory.

    other      words in a prompt of another user; no two of them share a word
    sent_1 …   what each of the five requests is: "A", "B" or "other"
    step       the moment shown: 0 is the start
    Raises ValueError for a value out of bounds.
    """

    script = "prefix_cache.js"
    title = constant("The prefix cache")
    lead = constant(
        "Words are the tokens here. Change one in either prompt: its block gets another hash, and so does "
        "every block after it. What two prompts begin with is computed once, as long as it is not evicted."
    )

    a = Text(A)
    b = Text(A.replace("Middlemarch", "Emma"))
    block_size = Choice(4, (2, 4, 8))
    memory = Whole(16, least=4, most=24)
    other = Whole(32, most=96)
    sent_1 = Choice("A", SENT)
    sent_2 = Choice("B", SENT)
    sent_3 = Choice("other", SENT)
    sent_4 = Choice("A", SENT)
    sent_5 = Choice("B", SENT)
    step = Whole(4, least=0, most=3 * REQUESTS)

    def __init__(self, **values):
        super().__init__(**values)
        self.set_trait("limits", self.limits | {name: rf"[\s\S]{{0,{MOST}}}" for name in "ab"})

    @property
    def moments(self) -> list[Moment]:
        """Every step of the story."""
        sent = []
        for i in range(1, REQUESTS + 1):
            who = getattr(self, f"sent_{i}")
            traffic = [f"{i}.{n}" for n in range(1, self.other + 1)]
            sent.append((who, traffic if who == "other" else words(getattr(self, who.lower()))))
        return Story(sent, self.memory, self.block_size).moments

    def table(self) -> Table:
        rows = [
            [i, m.said, f"{self.memory - len(m.free)} of {self.memory}", f"{m.hits:,} of {m.queries:,}"]
            for i, m in enumerate(self.moments)
        ]
        return Table(
            "Five requests, moment by moment",
            ["moment", "what happens", "blocks in use", "words found so far"],
            rows,
        )
