"""Questions of chapter 01 that count: tokens projected, keys held, scores filled."""

from ...answers import Choice, Each, Number, Slip
from ..common import question

PAIRS = "You count the key and the value apart. Tokens are asked for: one that is projected gives both."
TOO_FAR = "You go one step too far: no step reads the last new token."


def grown(prompt, new):
    """Tokens that `new` steps read without a cache: each reads all there are."""
    return sum(range(prompt, prompt + new))


# How the tokens that steps read are counted wrongly.
STEPS = (
    Slip(TOO_FAR, lambda prompt, new: grown(prompt, new + 1)),
    Slip(
        "You start a token late: the first step reads the prompt alone.",
        lambda prompt, new: grown(prompt + 1, new),
    ),
    Slip(
        "You leave out the last step: each new token has a step of its own.",
        lambda prompt, new: grown(prompt, new - 1),
    ),
    Slip(
        "You read the prompt alone at every step and forget the tokens made since.",
        lambda prompt, new: prompt * new,
    ),
    Slip(
        "You read the finished text at every step; it grows by a token a step.",
        lambda prompt, new: (prompt + new) * new,
    ),
)


@question("01-count", points=2, minutes=4, drawn=dict(prompt=range(9, 21), new=(3, 4, 5, 6)))
def _count(prompt=12, new=4):
    without = (
        *STEPS,
        Slip(
            "You forget the first step, which reads the prompt.",
            lambda prompt, new: grown(prompt + 1, new - 1),
        ),
        Slip(
            "You count the last step only, or the cached way. Without a cache every step starts from nothing:"
            " add up all of them.",
            lambda prompt, new: prompt + new - 1,
        ),
        Slip(
            "You count each token of the finished text once. Without a cache it is projected at every step.",
            lambda prompt, new: prompt + new,
        ),
        Slip(
            "You let the prompt in a token at a time; the first step reads all of it.",
            lambda prompt, new: grown(1, prompt + new - 1),
        ),
        Slip(
            "You leave the prompt out: without a cache, every step reads it again.",
            lambda prompt, new: grown(1, new),
        ),
        Slip(PAIRS, then=lambda v: 2 * v),
    )
    with_cache = (
        Slip(TOO_FAR, lambda prompt, new: prompt + new),
        Slip("You forget the first step: it projects the whole prompt.", lambda prompt, new: new),
        Slip("You leave the prompt out: the first step projects it.", lambda prompt, new: new - 1),
        Slip("You stop at the prompt: each later step projects one token.", lambda prompt, new: prompt),
        Slip("You count the steps without a cache.", grown),
        Slip(
            "You project the prompt at every step: once it is in the cache, it is only read.",
            lambda prompt, new: prompt * new,
        ),
        Slip(PAIRS, then=lambda v: 2 * v),
    )
    numbers = {"prompt": prompt, "new": new}
    return Each(
        {
            "without": Number(
                grown, numbers, without, tol=0, idea="Write down how many tokens each step reads, and add."
            ),
            "with": Number(
                lambda prompt, new: prompt + new - 1,
                numbers,
                with_cache,
                tol=0,
                idea="The first step fills the cache; how many tokens does each later step project?",
            ),
        }
    )


@question("01-no-queries", kind="recall", minutes=1)
def _no_queries():
    return Choice(
        "c",
        {
            "a": "Queries are as wide as one head's keys; with GQA there are even more of them.",
            "b": "A past token's query stays as it was. Ask who would read it again.",
            "d": "Queries, keys and values come alike from one product with a weight matrix.",
        },
    )


@question("01-twice", points=3, kind="bugs", minutes=6, drawn=dict(prompt=range(7, 17), new=(3, 4, 5, 6)))
def _twice(prompt=8, new=4):
    return Each(
        {
            "keys": Number(
                grown,
                {"prompt": prompt, "new": new},
                (
                    Slip(
                        "You count what a loop that works would hold: here tokens that are in the cache are"
                        " read, and stored, once more.",
                        lambda prompt, new: prompt + new - 1,
                    ),
                    Slip(
                        "You count the tokens of the finished text. Count the keys that each step adds.",
                        lambda prompt, new: prompt + new,
                    ),
                    *STEPS,
                    Slip(
                        "You let the cache double at every step. A step stores what it reads.",
                        lambda prompt, new: prompt * 2 ** (new - 1),
                    ),
                ),
                tol=0,
                idea="Every token that a step reads leaves a key. How many does each step read?",
            ),
            "goes wrong": Choice(
                "second",
                {
                    "first": "The first step meets an empty cache: it reads the prompt, as it should.",
                    "third": "It is wrong before that: what does the step before it find in the cache?",
                    "last": "It is wrong long before: when does a step first read what the cache holds?",
                    "never": "A token that is in the cache twice gets its weight twice, at two positions.",
                },
            ),
            "mend": Choice(
                "b",
                {
                    "a": "Then the first step reads one token, and the rest of the prompt is never read.",
                    "c": "The text would be right, but every step would start from nothing: no cache at all.",
                    "d": "The prompt is in the cache after the first step; reading it again stores it again.",
                },
            ),
        }
    )


FORMS = ("L{}", "L^{}", "O(L^{})")  # besides L²


def _scores(length):
    return sum(t * t for t in range(1, length + 1)), sum(range(1, length + 1))


@question("01-growth", points=3, kind="audit", minutes=8, drawn=dict(length=range(8, 16)))
def _growth(length=12):
    def times(length):
        without, with_cache = _scores(length)
        return without / with_cache

    power = {
        "L": "That is the cost of the projections with a cache. Count scores, of all steps.",
        "L²": "That is one step's square. Add up the squares of all steps.",
        "L³": "That is too much: a step with a cache fills a row of t scores. Add up the rows of all steps.",
        "L⁴": "That is too much: add up L steps, none of which fills more than L × L scores.",
    }
    also = {f"{form.format(n)}": p for n, p in zip("234", ("L²", "L³", "L⁴"), strict=True) for form in FORMS}
    also |= {f"O({p})": p for p in power}

    def grows(right, **said):
        return Choice(right, {p: said.get(p, s) for p, s in power.items() if p != right}, also)

    return Each(
        {
            "without": grows("L³"),
            "with": grows("L²", L="That is one step's row. Add up the rows of all steps: 1 + 2 + … + L."),
            "times": Number(
                times,
                {"length": length},
                (
                    Slip(
                        "You compare the last step alone, as the claim does. Earlier steps are shorter:"
                        " add up both columns first.",
                        lambda length: length,
                    ),
                    Slip(
                        "You stop a step early: Python's range leaves its end out.",
                        lambda length: times(length - 1),
                    ),
                    Slip("You go a step too far.", lambda length: times(length + 1)),
                    Slip(
                        "That is what it comes close to for large L. Add up the steps as they are, and give"
                        " three digits.",
                        lambda length: 2 * length / 3,
                    ),
                    Slip(
                        "You compare all of one generation with one step of the other.",
                        lambda length: _scores(length)[0] / length,
                    ),
                    Slip(
                        "You fill half of each square; the problem fills all of it.",
                        lambda length: (times(length) + 1) / 2,
                    ),
                    Slip(
                        "You turn the ratio round: how many times more is it without a cache?",
                        then=lambda v: 1 / v,
                    ),
                    Slip(
                        "You give the scores without a cache. How many times those with a cache are they?",
                        lambda length: _scores(length)[0],
                    ),
                    Slip(
                        "You give the scores with a cache. How many times as many are there without one?",
                        lambda length: _scores(length)[1],
                    ),
                    Slip("You subtract; divide.", lambda length: _scores(length)[0] - _scores(length)[1]),
                    Slip("You square the number of tokens.", lambda length: length**2),
                ),
                idea="Add up the squares of all lengths, add up the lengths, and divide.",
            ),
        }
    )


@question("01-trade", kind="recall", minutes=1)
def _trade():
    return Choice(
        "b",
        {
            "a": "Nothing is approximated: the text is the same, up to rounding.",
            "c": "The other way round: the weights stay as they are and the cache comes on top.",
            "d": "A long context is a memory problem too: the cache keeps something of every token.",
        },
    )
