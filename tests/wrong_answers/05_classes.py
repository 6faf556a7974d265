"""Wrong answers to chapter 05, paging: the two allocators."""

import collections


class Good:
    def __init__(self, num_blocks):
        self.n, self.left = num_blocks, list(range(num_blocks))

    def allocate(self, n):
        if n > len(self.left):
            return None
        return [self.left.pop() for _ in range(n)]

    def free(self, blocks):
        self.left += list(blocks)


class NeverTakesBack(Good):
    def free(self, blocks):
        pass


class GivesWhatThereIs(Good):
    def allocate(self, n):
        return [self.left.pop() for _ in range(min(n, len(self.left)))]


class PopsBeforeItLooks(Good):
    def allocate(self, n):
        taken = []
        for _ in range(n):
            if not self.left:
                return None
            taken.append(self.left.pop())
        return taken


class AlwaysTheFirst(Good):
    def allocate(self, n):
        return list(range(n)) if n <= self.n else None


class OffByOne(Good):
    def allocate(self, n):
        return Good.allocate(self, n) if n < len(self.left) else None


class Raises(Good):
    def allocate(self, n):
        return [self.left.pop() for _ in range(n)]


class RaisesOnPurpose(Good):
    def allocate(self, n):
        if n > len(self.left):
            raise MemoryError("out of blocks")
        return Good.allocate(self, n)


class FromOne(Good):
    def __init__(self, num_blocks):
        self.n, self.left = num_blocks, list(range(1, num_blocks + 1))


class KeepsTheCallersList(Good):
    def free(self, blocks):
        blocks.extend(self.left)
        self.left = blocks


class KeepsTheListItself(Good):
    def free(self, blocks):
        if not self.left:
            self.left = blocks
        else:
            self.left += blocks


class HandsOutASet(Good):
    def allocate(self, n):
        taken = Good.allocate(self, n)
        return taken if taken is None else set(taken)


class HandsOutANumber(Good):
    def allocate(self, n):
        taken = Good.allocate(self, n)
        return taken if taken is None else len(taken)


class OneForAll:
    left: list = []  # noqa: RUF012

    def __init__(self, num_blocks):
        self.left.extend(range(num_blocks))

    allocate, free = Good.allocate, Good.free


class InADefault(Good):
    def __init__(self, num_blocks, left=[]):  # noqa: B006
        left.extend(range(num_blocks))
        self.left = left


class AppendsTheList(Good):
    def free(self, blocks):
        self.left.append(blocks)


class FreesOnlyOne(Good):
    def free(self, blocks):
        self.left.append(blocks[0])


class OneTooMany(Good):
    def allocate(self, n):
        return Good.allocate(self, n + 1)


class SameBlockTwice(Good):
    def allocate(self, n):
        taken = Good.allocate(self, n)
        return taken if taken is None else [taken[0]] * n


class GivesFalse(Good):
    def allocate(self, n):
        return Good.allocate(self, n) or False


class GivesAnEmptyList(Good):
    def allocate(self, n):
        return Good.allocate(self, n) or []


class Shared:
    def __init__(self, num_blocks):
        self.count = collections.Counter({block: 0 for block in range(num_blocks)})

    def allocate(self):
        for block, count in self.count.items():
            if not count:
                self.count[block] = 1
                return block
        return None

    def share(self, block):
        self.count[block] += 1

    def free(self, block):
        if not self.count[block]:
            return False
        self.count[block] -= 1
        return True

    def write(self, block):
        if self.count[block] == 1:
            return block
        new = self.allocate()
        if new is not None:
            self.count[block] -= 1
        return new


class FreesTwice(Shared):
    def free(self, block):
        self.count[block] -= 1
        return True


class FreesTwiceToZero(Shared):
    def free(self, block):
        self.count[block] = max(0, self.count[block] - 1)
        return True


class FreeSaysNothing(Shared):
    def free(self, block):
        Shared.free(self, block)


class FreeRaises(Shared):
    def free(self, block):
        if not self.count[block]:
            raise ValueError("double free")
        return Shared.free(self, block)


class FreesForAll(Shared):
    def free(self, block):
        owned = self.count[block] > 0
        self.count[block] = 0
        return owned


class NeverFree(Shared):
    def free(self, block):
        return self.count[block] > 0


class WritesInPlace(Shared):
    def write(self, block):
        return block


class AlwaysCopies(Shared):
    def write(self, block):
        new = self.allocate()
        if new is not None:
            self.count[block] -= 1
        return new


class LastOwnerCopies(Shared):
    def write(self, block):
        return block if self.count[block] == 1 else self.allocate()


class GivesUpBeforeItHas(Shared):
    def write(self, block):
        if self.count[block] == 1:
            return block
        self.count[block] -= 1
        return self.allocate()


class GivesUpAndAsks(Shared):
    def write(self, block):
        if self.count[block] == 1:
            return block
        self.free(block)
        return self.allocate()


class BelowZero(Shared):
    def free(self, block):
        self.count[block] -= 1
        return self.count[block] >= 0


class WritesInPlaceWhenFull(Shared):
    def write(self, block):
        new = Shared.write(self, block)
        return block if new is None else new


class WriteSaysNothingAlone(Shared):
    def write(self, block):
        if self.count[block] > 1:
            return Shared.write(self, block)
        return None


class WriteGivesPair(Shared):
    def write(self, block):
        return block, Shared.write(self, block)


class AllocateRaises(Shared):
    def allocate(self):
        block = [block for block, count in self.count.items() if not count][0]
        self.count[block] = 1
        return block


class AllocateGivesAList(Shared):
    def allocate(self):
        block = Shared.allocate(self)
        return None if block is None else [block]


class AllocateForgetsToCount(Shared):
    def allocate(self):
        return next((block for block, count in self.count.items() if not count), None)


class ShareForgets(Shared):
    def share(self, block):
        self.count[block] = 1


class CopyHasNoOwner(Shared):
    def write(self, block):
        new = Shared.write(self, block)
        if new not in (None, block):
            self.count[new] = 0
        return new


class SharedByAll:
    count: dict = {}  # noqa: RUF012

    def __init__(self, num_blocks):
        for block in range(num_blocks):
            self.count.setdefault(block, 0)

    allocate, share, free, write = Shared.allocate, Shared.share, Shared.free, Shared.write


class WriteOfTwoOwnersInPlace(Shared):
    def write(self, block):
        return block if self.count[block] <= 2 else Shared.write(self, block)


WRONG = [
    ("05-allocator", NeverTakesBack, "It never gets blocks back"),
    ("05-allocator", GivesWhatThereIs, "It hands out fewer blocks than asked for"),
    ("05-allocator", PopsBeforeItLooks, "It loses blocks when it refuses"),
    ("05-allocator", AlwaysTheFirst, "It hands out blocks that another sequence holds"),
    ("05-allocator", OffByOne, "It refuses when exactly as many are free"),
    ("05-allocator", Raises, "It raises when the pool runs short"),
    ("05-allocator", RaisesOnPurpose, "It raises when the pool runs short"),
    ("05-allocator", FromOne, "they are 0 to num_blocks"),
    ("05-allocator", KeepsTheCallersList, "It keeps the caller's own list"),
    ("05-allocator", KeepsTheListItself, "It keeps the caller's own list"),
    ("05-allocator", HandsOutASet, "It hands out a set"),
    ("05-allocator", HandsOutANumber, "It hands out no list"),
    ("05-allocator", OneForAll, "A new pool meets what an earlier one left behind"),
    ("05-allocator", InADefault, "A new pool meets what an earlier one left behind"),
    ("05-allocator", AppendsTheList, "not as one thing"),
    ("05-allocator", FreesOnlyOne, "It takes back only some of the blocks"),
    ("05-allocator", OneTooMany, "It hands out more blocks than asked for"),
    ("05-allocator", SameBlockTwice, "It hands out a block twice at once"),
    ("05-allocator", GivesFalse, "It gives something else than None"),
    ("05-allocator", GivesAnEmptyList, "It gives something else than None"),
    ("05-allocator", Good(4), "Hand over the function or class itself"),
    ("05-owners", FreesTwice, "a double free"),
    ("05-owners", FreesTwiceToZero, "a double free"),
    ("05-owners", FreeSaysNothing, "free returns nothing"),
    ("05-owners", FreeRaises, "It raises where a block is freed that nobody owns"),
    ("05-owners", FreesForAll, "Count the owners"),
    ("05-owners", NeverFree, "whose last owner has freed it must be free again"),
    ("05-owners", WritesInPlace, "write into a block that others own too"),
    ("05-owners", AlwaysCopies, "It copies a block that has a single owner"),
    ("05-owners", LastOwnerCopies, "The last owner copies"),
    ("05-owners", GivesUpBeforeItHas, "must change nothing"),
    ("05-owners", GivesUpAndAsks, "must change nothing"),
    ("05-owners", BelowZero, "takes an owner away from a block that nobody owns"),
    ("05-owners", WritesInPlaceWhenFull, "write into a block that others own too"),
    ("05-owners", WriteSaysNothingAlone, "write must return the block to write into"),
    ("05-owners", WriteGivesPair, "something other than the number of one block"),
    ("05-owners", AllocateRaises, "It raises when no block is free"),
    ("05-owners", AllocateGivesAList, "something other than the number of one block"),
    ("05-owners", AllocateForgetsToCount, "It hands out a block that somebody owns"),
    ("05-owners", ShareForgets, "write into a block that others own too"),
    ("05-owners", CopyHasNoOwner, "The block that write hands out has an owner"),
    ("05-owners", SharedByAll, "A new pool meets what an earlier one left behind"),
    ("05-owners", WriteOfTwoOwnersInPlace, "write into a block that others own too"),
]


class HandsOutATuple(Good):
    def allocate(self, n):
        taken = Good.allocate(self, n)
        return taken if taken is None else tuple(taken)


class WithAQueue(Good):
    def __init__(self, num_blocks):
        self.left = collections.deque(range(num_blocks))

    def allocate(self, n):
        return [self.left.popleft() for _ in range(n)] if n <= len(self.left) else None

    def free(self, blocks):
        self.left.extend(blocks)


class WithNoise(Good):
    def allocate(self, n):
        print("asked for", n)
        return Good.allocate(self, n)


class LowestLast(Shared):
    def allocate(self):
        free = [block for block, count in self.count.items() if not count]
        if free:
            self.count[free[-1]] = 1
        return free[-1] if free else None


RIGHT = [
    ("05-allocator", HandsOutATuple),
    ("05-allocator", WithAQueue),
    ("05-allocator", WithNoise),
    ("05-owners", Shared),
    ("05-owners", LowestLast),
]
