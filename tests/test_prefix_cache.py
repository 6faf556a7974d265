"""The prefix cache: the same as a plainer one, which keeps whole prefixes in place of hashes."""

import hashlib
import random

import pytest

from kvlib import OutOfBlocks
from kvlib.serving import PrefixCache
from kvlib.serving.prefix_cache import block_name, block_names


class Plain:
    """No hash, no count: `held[block]` is every token up to the block's last, `users` is who uses it."""

    def __init__(self, num_blocks, size):
        self.size, self.clock = size, 0
        self.held = [()] * num_blocks
        self.since = [0] * num_blocks  # when it was filled
        self.users = [set() for _ in range(num_blocks)]
        self.line = list(range(num_blocks))  # free blocks, the next to be taken first
        self.tokens, self.tables = {}, {}

    def full(self, block):
        return len(self.held[block]) % self.size == 0 and self.held[block] != ()

    def find(self, tokens):
        found = []
        while len(tokens) > (len(found) + 1) * self.size:
            prefix = tuple(tokens[: (len(found) + 1) * self.size])
            same = [b for b in range(len(self.held)) if self.full(b) and self.held[b] == prefix]
            if not same:
                break
            found.append(min(same, key=lambda b: self.since[b]))
        return found

    def admit(self, id, tokens):
        found = self.find(tokens)
        spare = [b for b in self.line if b not in found]
        if len(spare) < -(-len(tokens) // self.size) - len(found):
            return None
        self.line = spare
        self.tokens[id], self.tables[id] = list(tokens[: len(found) * self.size]), []
        for b in found:
            self.users[b].add(id)
            self.tables[id].append(b)
        return len(found), self.write(id, tokens[len(found) * self.size :])

    def append(self, id, tokens):
        room = len(self.tables[id]) * self.size - len(self.tokens[id])
        if room + len(self.line) * self.size < len(tokens):
            return None
        return self.write(id, tokens)

    def write(self, id, tokens):
        lost = []
        for token in tokens:
            if len(self.tokens[id]) == len(self.tables[id]) * self.size:
                block = self.line.pop(0)
                if self.full(block):
                    lost.append((block, self.held[block]))
                self.tables[id].append(block)
                self.users[block] = {id}
            self.tokens[id].append(token)
            self.clock += 1
            block = self.tables[id][-1]
            self.held[block], self.since[block] = tuple(self.tokens[id]), self.clock
        return lost

    def release(self, id):
        del self.tokens[id]
        for block in self.tables.pop(id)[::-1]:
            self.users[block].remove(id)
            if not self.users[block] and self.full(block):
                self.line.append(block)
            elif not self.users[block]:
                self.line.insert(0, block)


def the_same(cache, plain):
    size = cache.block_size
    assert list(cache.free) == plain.line
    for block, held in enumerate(plain.held):
        assert cache.refs(block) == len(plain.users[block])
        # A block that is not full has no name; what it once held was forgotten when it was taken.
        assert cache.name(block) == (block_names(held, size)[-1] if plain.full(block) else None)
    assert {id: list(cache.table(id)) for id in plain.tables} == plain.tables


@pytest.mark.parametrize("seed", range(60))
def test_it_does_what_a_plainer_one_does(seed):
    rng = random.Random(seed)
    num_blocks, size = rng.randint(1, 14), rng.randint(1, 5)
    cache, plain = PrefixCache(num_blocks, size), Plain(num_blocks, size)
    past, queries, hits, lost_in_all, refused = [[]], 0, 0, 0, 0
    for id in range(250):
        inside, what = list(plain.tables), rng.random()
        if inside and what < 0.4:
            leaving = rng.choice(inside)
            cache.release(leaving)
            plain.release(leaving)
        elif inside and what < 0.5:
            more, grows = [rng.randint(0, 2) for _ in range(rng.randint(1, 2 * size))], rng.choice(inside)
            if (lost := plain.append(grows, more)) is None:
                with pytest.raises(OutOfBlocks):
                    cache.append(grows, more)
            else:
                assert cache.append(grows, more) == named(lost, size)
                lost_in_all += len(lost)
            past.append(list(plain.tokens[grows]))
        else:
            old = rng.choice(past)
            prompt = old[: rng.randint(0, len(old))] + [rng.randint(0, 2) for _ in range(rng.randint(1, 9))]
            found, before = tuple(plain.find(prompt)), cache.free
            assert cache.lookup(prompt) == found and cache.free == before
            if (got := plain.admit(id, prompt)) is None:
                refused += 1
                with pytest.raises(OutOfBlocks, match="short"):
                    cache.admit(id, prompt)
            else:
                admitted = cache.admit(id, prompt)
                assert admitted.blocks == tuple(plain.tables[id])
                assert (admitted.hits, admitted.cached) == (got[0], got[0] * size)
                assert admitted.cached < len(prompt)  # one token at least is computed
                assert admitted.evicted == named(got[1], size)
                queries, hits = queries + len(prompt), hits + got[0] * size
                lost_in_all += len(got[1])
                past.append(prompt)
        the_same(cache, plain)
    assert (cache.queries, cache.hits, cache.evictions) == (queries, hits, lost_in_all)
    assert cache.hit_rate == (hits / queries if queries else 0)
    assert num_blocks < 4 or (hits and lost_in_all and refused)


def named(lost, size):
    return tuple((block, block_names(held, size)[-1]) for block, held in lost)


def test_a_name_is_chained():
    assert block_names([1, 2, 3, 4, 5], 2) == (
        block_name("", [1, 2]),
        block_name(block_name("", [1, 2]), [3, 4]),
    )
    assert block_names([1, 9, 3, 4], 2)[1] != block_names([1, 2, 3, 4], 2)[1]  # the same words, another past
    assert block_names([1], 2) == ()
    # A number is not its digits, and where a token ends counts.
    names = {block_name("", tokens) for tokens in ([1, 2], ["1", "2"], [12], ["12"], ["1,2"], ['1","2'])}
    assert len(names) == 6
    by_hand = hashlib.sha256(b'["na\\u00efve","\\ud83d\\ude00"]').hexdigest()
    assert block_name("", ["naïve", "😀"]) == by_hand
    assert block_name(by_hand, [7]) == hashlib.sha256(f"{by_hand}[7]".encode()).hexdigest()


def test_by_hand():
    """Blocks of 4, ten of them: two prompts that begin alike, and what a third one evicts."""
    cache = PrefixCache(10, 4)
    first = cache.admit("first", range(15))  # three full blocks and one of three tokens
    assert (first.blocks, first.hits, first.evicted) == ((0, 1, 2, 3), 0, ())
    assert cache.append("first", [15]) == () and cache.name(3)  # now it is full
    cache.append("first", [16])
    second = cache.admit("second", [*range(10), 50, 51, 52, 53])
    assert (second.blocks, second.hits, second.cached) == ((0, 1, 5, 6), 2, 8)  # the third differs
    assert cache.table("first") == (0, 1, 2, 3, 4) and [cache.refs(b) for b in range(7)] == [2, 2] + [1] * 5
    cache.release("first")
    assert cache.free == (4, 7, 8, 9, 3, 2)  # 4 has no name, so it goes first; 0 and 1 are in use
    cache.release("second")
    assert cache.free == (6, 4, 7, 8, 9, 3, 2, 5, 1, 0)
    third = cache.admit("third", [*range(12), *range(100, 117)])
    assert third.blocks == (0, 1, 2, 6, 4, 7, 8, 9) and third.evicted == ()
    assert cache.needs(range(200, 208)) == 2 and cache.free == (3, 5)
    name = cache.name(3)
    fourth = cache.admit("fourth", [200])
    assert fourth.evicted == ((3, name),) and cache.evictions == 1
    assert (cache.hits, cache.queries) == (8 + 12, 15 + 14 + 29 + 1)
    assert (cache.requests, cache.hit_rate) == (4, 20 / 59)


def test_the_last_token_is_always_computed():
    """So a prompt that fills its blocks computes its last one again, into another block of the same name."""
    cache = PrefixCache(6, 2)
    cache.admit(1, [1, 2, 3, 4])
    assert len(cache.lookup([1, 2, 3, 4])) == 1 and len(cache.lookup([1, 2, 3, 4, 5])) == 2
    again = cache.admit(2, [1, 2, 3, 4])
    assert again.blocks == (0, 2) and cache.name(1) == cache.name(2)
    cache.release(1)
    cache.admit(3, range(100, 106))  # takes 3, 4 and 5
    cache.admit(4, [7])  # takes 1: its twin is still found
    assert cache.name(1) is None and cache.lookup([1, 2, 3, 4, 5]) == (0, 2)


def test_what_cannot_be_is_named():
    cache = PrefixCache(2, 4)
    assert cache.hit_rate == 0
    cache.admit("a", "words")
    cases = [
        (lambda: PrefixCache(0), "num_blocks must be a whole number of at least 1, not 0"),
        (lambda: PrefixCache(4, 2.5), "block_size must be a whole number of at least 1, not 2.5"),
        (lambda: cache.admit("b", []), "tokens must be one at least, not none"),
        (lambda: cache.lookup([1, 2.0]), "tokens must be whole numbers or strings, not 2.0"),
        (lambda: cache.admit("b", [True]), "tokens must be whole numbers or strings, not True"),
        (lambda: cache.admit("a", [1]), "id 'a' is inside: release it first"),
        (lambda: cache.release("b"), r"id 'b' is not inside; there are \['a'\]"),
        (lambda: cache.append("b", [1]), "id 'b' is not inside"),
    ]
    for wrong, words in cases:
        with pytest.raises(ValueError, match=words):
            wrong()
    with pytest.raises(OutOfBlocks, match="1 short .1 asked for, 0 free."):
        cache.admit("b", [1])
    with pytest.raises(OutOfBlocks, match="1 short"):
        cache.append("a", range(4))
    assert (cache.requests, cache.queries, cache.table("a")) == (1, 5, (0, 1))
