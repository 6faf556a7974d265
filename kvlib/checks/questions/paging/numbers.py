"""Questions of chapter 05: blocks counted, and what paging changes."""

from ...answers import Choice, Each, Number, Slip
from ..common import question

MEAN = "You give the mean of the sequences; the slots of all of them are asked for."


def _blocks(tokens, size):
    return -(-tokens // size)


@question("05-blocks", kind="by hand", minutes=1, drawn={"tokens": (70, 83, 106, 149), "size": (16, 24)})
def _count(tokens=100, size=16):
    return Number(
        _blocks,
        {"tokens": tokens, "size": size},
        (
            Slip(
                "You round down: the last tokens need a block too, though they do not fill it.",
                lambda tokens, size: tokens // size,
            ),
            Slip("Blocks come whole: round up.", lambda tokens, size: tokens / size),
            Slip("You take one block more than needed.", lambda tokens, size: tokens // size + 2),
            Slip("You count a block for each token; one holds several.", size=1),
            Slip("You multiply; a block holds several tokens.", lambda tokens, size: tokens * size),
            Slip("That is how many tokens the last block holds.", lambda tokens, size: tokens % size),
            Slip(
                "You count the slots of the blocks, not the blocks.",
                lambda tokens, size: _blocks(tokens, size) * size,
            ),
            Slip(
                "That is how many slots of the last block stay empty.",
                lambda tokens, size: -tokens % size,
            ),
            Slip("You give the size of a block.", lambda tokens, size: size),
            Slip("You count blocks for keys and for values; a block holds both.", then=lambda v: 2 * v),
        ),
        tol=0,
        idea="How many full blocks are there, and what is left over?",
    )


@question(
    "05-waste",
    points=2,
    kind="by hand",
    minutes=5,
    drawn={
        "a": (77, 100, 150),
        "b": (17, 35, 50),
        "c": (256, 384, 512),
        "d": (33, 70, 90),
        "limit": (1024, 2048, 4096),
    },
)
def _waste(a=100, b=17, c=512, d=33, limit=2048, size=16):
    lengths, n = (a, b, c, d), 4
    used = sum(lengths)

    def paged(*extra):
        return sum(_blocks(length, size) * size - length for length in lengths) + sum(extra)

    full = sum(length % size == 0 for length in lengths)
    in_use = Slip("You count the slots in use.", used)
    return Each(
        {
            "contiguous": Number(
                lambda limit, n, used: limit * n - used,
                {"limit": limit, "n": n, "used": used},
                (
                    Slip("You count all the reserved slots; those with a token are not wasted.", used=0),
                    Slip("You reserve for one sequence; each gets a reservation of its own.", n=1),
                    in_use,
                    Slip(MEAN, then=lambda v: v / n),
                    Slip("You count what stands empty with paging.", paged()),
                ),
                tol=0,
                idea="Reserved slots less used ones.",
            ),
            "paged": Number(
                paged(),
                {},
                (
                    Slip(
                        "You give a full last block one more: a sequence that fills its blocks wastes none.",
                        paged(size * full),
                    ),
                    Slip(
                        "You put the sequences into one row of blocks; two sequences share no block here.",
                        -used % size,
                    ),
                    Slip(
                        "You take half a block for each sequence. That is the average; count these four.",
                        n * size // 2,
                    ),
                    Slip("You take the most that a sequence can waste; count these four.", n * (size - 1)),
                    Slip("You count all the slots of the blocks; most of them hold a token.", paged(used)),
                    Slip("You count the blocks.", (used + paged()) // size),
                    Slip(
                        "You count the tokens in the last blocks; count the slots there that hold none.",
                        sum(length % size for length in lengths),
                    ),
                    Slip("You count the slots that stand empty without paging.", limit * n - used),
                    in_use,
                    Slip(MEAN, paged() / n),
                    Slip("You take every last block for a full one.", 0),
                ),
                tol=0,
                idea="Only the last block of each sequence can have empty slots.",
            ),
        }
    )


@question(
    "05-share",
    points=2,
    kind="predict",
    minutes=5,
    drawn={"prompt": (84, 134, 200), "new": (20, 24, 40), "n": (3, 4, 5)},
)
def _share(prompt=100, new=20, n=3, size=16):
    def blocks(prompt, new, n, size):
        full, alone = prompt // size, _blocks(prompt + new, size)
        return full + n * (alone - full)

    numbers = dict(prompt=prompt, new=new, n=n, size=size)
    right, begun, alone = blocks(**numbers), _blocks(prompt, size), _blocks(prompt + new, size)
    return Number(
        blocks,
        numbers,
        (
            Slip(
                "You count each sequence alone; full blocks of the prompt are kept once for all.", n * alone
            ),
            Slip(
                "You let all of them write into the prompt's last block. It is partly filled, and each writes"
                " something else there.",
                begun + n * (alone - begun),
            ),
            Slip(
                "You keep the prompt's last block beside the copies. Its last owner writes into it; and new"
                " tokens go on in it, not in blocks of their own.",
                right + 1,
            ),
            Slip("You count the blocks that the sequences do not share.", n * (alone - prompt // size)),
            Slip("You count one sequence only.", alone),
            Slip("You count the prompt only.", begun),
            Slip(
                "You round down: each sequence's last tokens need a block too, though they do not fill it.",
                lambda prompt, new, n, size: prompt // size + n * ((prompt + new) // size - prompt // size),
            ),
            Slip(
                "You put all new tokens into one row of blocks; each sequence writes into its own.",
                begun + _blocks(n * new, size),
            ),
            Slip("You count the prompt's blocks for each sequence, and nothing else.", n * begun),
            Slip("You count the slots of the blocks, not the blocks.", then=lambda v: v * size),
            Slip(
                "You divide all tokens by the size of a block: the prompt is kept once; blocks are whole.",
                lambda prompt, new, n, size: n * (prompt + new) / size,
            ),
        ),
        tol=0,
        idea="Which of the prompt's blocks are full, and what does each sequence have of its own?",
    )


@question("05-tricks", points=2, kind="recall", minutes=3)
def _tricks():
    heads = "Heads are shared by the model's design; only one of the four tricks is about that."
    context = "Only one of the four makes a layer look back on fewer tokens."
    number = "Only one of the four stores each number in fewer bytes."
    nothing = "This one does make a factor smaller. Which number in the formula is another with it?"
    factors = {"H_kv": heads, "T": context, "bytes": number, "nothing": nothing}
    also = {"heads": "H_kv", "kv heads": "H_kv", "context": "T", "tokens": "T"}

    def is_(right, **more):
        return Choice(right, {k: s for k, s in (factors | more).items() if k != right}, also)

    waste = "The blocks hold the same tokens, heads and bytes. Paging is about the slots that hold nothing."
    return Each(
        {
            "grouped-query attention": is_("H_kv"),
            "a sliding window": is_("T"),
            "an int8 cache": is_("bytes"),
            "paged attention": is_("nothing", H_kv=waste, T=waste, bytes=waste),
        }
    )
