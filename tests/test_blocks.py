"""The block pool against a plain model of it: who owns what, token by token."""

import pytest
from hypothesis import given, settings, strategies as st

from kvlib.blocks import BlockPool, BlockTable, OutOfBlocks


def state(pool):
    return pool.num_free, [pool.refs(b) for b in range(pool.num_blocks)]


def test_blocks_are_handed_out_once_and_reused():
    pool = BlockPool(4, block_size=2)
    first = pool.allocate(3)
    assert len(set(first)) == 3 and pool.num_free == 1
    pool.free(first[:2])
    assert sorted(pool.allocate(2)) == sorted(first[:2])


def test_an_exhausted_pool_says_how_many_blocks_are_short_and_stays_as_it_was():
    pool = BlockPool(4, block_size=2)
    pool.allocate(3)
    before = state(pool)
    with pytest.raises(OutOfBlocks, match="2 short") as error:
        pool.allocate(3)
    assert error.value.short == 2 and state(pool) == before


def test_an_append_that_does_not_fit_changes_nothing():
    pool = BlockPool(2, block_size=4)
    table = BlockTable(pool)
    table.append(6)
    before = state(pool), list(table.blocks), table.length
    with pytest.raises(OutOfBlocks, match="1 short"):
        table.append(3)
    assert (state(pool), table.blocks, table.length) == before


def test_a_fork_shares_blocks_and_copies_only_the_partly_filled_one_it_writes():
    pool = BlockPool(8, block_size=4)
    parent = BlockTable(pool)
    parent.append(6)
    child = parent.fork()
    assert pool.num_used == 2
    old = parent.blocks[1]
    assert child.append(1) == [(old, child.blocks[1])] and child.blocks[0] == parent.blocks[0]
    assert pool.refs(old) == 1 and pool.num_used == 3
    assert parent.append(1) == []  # the block is the parent's alone again


def test_a_fork_at_a_full_block_copies_nothing():
    pool = BlockPool(8, block_size=4)
    parent = BlockTable(pool)
    parent.append(8)
    child = parent.fork()
    assert child.append(1) == [] and child.blocks[:2] == parent.blocks


@pytest.mark.parametrize("blocks", [[0, 0], [3], [99], [-1]])
def test_freeing_what_is_not_owned_is_refused_and_frees_nothing(blocks):
    pool = BlockPool(4)
    pool.allocate(2)
    before = state(pool)
    with pytest.raises(ValueError, match="blocks"):
        pool.free(blocks)
    assert state(pool) == before


def test_sharing_a_free_block_is_refused():
    with pytest.raises(ValueError, match="blocks"):
        BlockPool(2).share([1])


def test_a_shuffled_pool_hands_out_the_same_blocks_in_an_order_that_the_seed_decides():
    def order(seed, used=()):
        pool = BlockPool(12)
        pool.free(pool.allocate(5)[::2] if used else [])
        pool.shuffle(seed)
        return pool.allocate(pool.num_free)

    assert sorted(order(1)) == list(range(12)) != order(1)
    assert order(1) == order(1) != order(2)
    assert sorted(order(1, used=True)) == [0, 2, 4, *range(5, 12)]
    with pytest.raises(ValueError, match="seed"):
        BlockPool(4).shuffle(-1)


@pytest.mark.parametrize("bad", [0, -1, 1.5, True, "2"])
def test_sizes_must_be_counts(bad):
    with pytest.raises(ValueError, match="num_blocks"):
        BlockPool(bad)
    with pytest.raises(ValueError, match="block_size"):
        BlockPool(4, bad)


@settings(max_examples=150, deadline=None)
@given(
    num_blocks=st.integers(1, 12),
    block_size=st.integers(1, 5),
    steps=st.lists(
        st.tuples(st.sampled_from(["new", "append", "fork", "free"]), st.integers(0, 7), st.integers(0, 9)),
        max_size=40,
    ),
)
def test_against_a_plain_model(num_blocks, block_size, steps):
    """Each sequence's tokens are a plain list; the pool's memory is written by the tables alone."""
    pool, memory = BlockPool(num_blocks, block_size), {}
    sequences = []  # pairs: table, the list of tokens it should hold
    written = 0
    for action, which, n in steps:
        if action == "new":
            sequences.append((BlockTable(pool), []))
        elif not sequences:
            continue
        table, tokens = sequences[which % len(sequences)]
        if action == "append":
            needs, free = table.needs(n), pool.num_free
            try:
                copies = table.append(n)
            except OutOfBlocks as error:
                assert error.short == needs - free > 0
                continue
            assert free - pool.num_free == needs
            for source, target in copies:
                for offset in range(block_size):
                    memory[target * block_size + offset] = memory.get(source * block_size + offset)
            for _ in range(n):
                memory[table.slot(len(tokens))] = written
                tokens.append(written)
                written += 1
        elif action == "fork":
            sequences.append((table.fork(), list(tokens)))
        elif action == "free":
            table.free()
            tokens.clear()
        for table, tokens in sequences:
            assert table.length == len(tokens)
            assert len(table.blocks) == -(-len(tokens) // block_size)
            assert [memory[table.slot(i)] for i in range(len(tokens))] == tokens
        owned = [block for table, _ in sequences for block in table.blocks]
        assert [pool.refs(b) for b in range(num_blocks)] == [owned.count(b) for b in range(num_blocks)]
        assert pool.num_free == num_blocks - len(set(owned))
