"""A question of chapter 02: the factor that somebody left out."""

from math import prod

from ...answers import Function, Slip
from ..common import question


def _forgotten(claim, factors):
    """Names of the factors of which any one, left out of the product, gives `claim`."""
    total = prod(factors.values())
    return [name for name, factor in factors.items() if factor > 1 and claim * factor == total]


def _emptied(claim, factors):
    rest, found = dict(factors), []
    for name in factors:
        factor = rest.pop(name)
        if factor > 1 and prod(rest.values()) == claim:
            found.append(name)
    return found


@question("02-forgotten", points=4, kind="code", minutes=12)
def _forgotten_factor():
    def cases(rng):
        own = {"2": 2, "layers": 24, "B": 2, "H": 16, "T": 2048, "d_head": 64, "bytes": 2}
        total = prod(own.values())
        for claim in (
            total // 24,
            total // 2,
            total,
            total * 2,
            total // 24 - 1,
            total // 2048 + 1,
            total // 48,
            24,
        ):
            yield claim, own
        other = {"2": 2, "layers": 21, "B": 3, "H_kv": 4, "T": 555, "head_dim": 64, "bytes": 1}
        for name in ("H_kv", "layers"):
            yield prod(other.values()) // other[name], other
        for number in range(24):
            factors = {
                "2": 2,
                "layers": rng.randint(2, 90),
                "B": rng.choice([1, 1, 3, 5]),
                "H": rng.choice([1, 4, 7, 8]),
                "T": rng.randint(100, 9000),
                "d_head": rng.choice([64, 96, 128]),
                "bytes": rng.choice([1, 2, 4]),
            }
            total, factor = prod(factors.values()), rng.choice(list(factors.values()))
            claim = (
                total // factor,
                total,
                total // factor + rng.choice([-1, 1]),
                total * factor,
                total // factors["T"] // 2,
                total // factors["layers"],
            )[number % 6]
            yield claim, factors

    def missing(claim, factors):
        return prod(factors.values()) / claim

    slips = {
        "It accuses a factor of 1: to leave that out changes nothing.": lambda claim, factors: [
            name for name, factor in factors.items() if claim * factor == prod(factors.values())
        ],
        "It names one factor; several can have the value that is missing.": lambda c, f: _forgotten(c, f)[:1],
        "It names the last factor of several that have the value which is missing.": (
            lambda c, f: _forgotten(c, f)[-1:]
        ),
        "It divides with //, which drops a remainder: a claim that no factor explains seems explained.": (
            lambda c, f: [n for n, v in f.items() if v > 1 and prod(f.values()) // c == v]
        ),
        "It rounds the quotient: a claim that is a little off seems explained.": (
            lambda c, f: [n for n, v in f.items() if v > 1 and round(missing(c, f)) == v]
        ),
        "It takes factors out and does not put them back: later products lack more than one.": _emptied,
        "It looks for a factor that the claim has too often, not for one that it lacks.": (
            lambda c, f: [n for n, v in f.items() if v > 1 and c == prod(f.values()) * v]
        ),
        "It accuses a factor that the claim has once too often, too.": lambda c, f: [
            n for n, v in f.items() if v > 1 and missing(c, f) in (v, 1 / v)
        ],
        "It gives the factors that are there, not those that are missing.": (
            lambda c, f: [n for n in f if n not in _forgotten(c, f)]
        ),
        "It gives the values; their names are asked for.": lambda c, f: [f[n] for n in _forgotten(c, f)],
        "It never accuses the 2: keys and values can be forgotten like any other factor.": (
            lambda c, f: [n for n in _forgotten(c, f) if n != "2"]
        ),
        "It gives None where no factor explains the claim: give an empty list.": (
            lambda c, f: _forgotten(c, f) or None
        ),
        "It gives the missing factor's value, not the names of the factors that have it.": missing,
        "It gives one name where a list of names is wanted.": (
            lambda c, f: next(iter(_forgotten(c, f)), None)
        ),
        "It gives the first name itself; give a list, of one name or of several.": (
            lambda c, f: next(iter(_forgotten(c, f)), [])
        ),
        "It joins the names to one text; give a list of them.": lambda c, f: ", ".join(_forgotten(c, f)),
        "It looks at the first factor alone: its return stands inside the loop.": (
            lambda c, f: [n for n in _forgotten(c, f) if n == next(iter(f))]
        ),
        "It compares the claim with the factor itself: what is the product without it?": lambda c, f: [
            n for n, v in f.items() if c == v
        ],
    }
    return Function(
        _forgotten,
        cases,
        tuple(Slip(said, wrong) for said, wrong in slips.items()),
        where={
            "It is wrong only where the factors have other names: go through those that it is given.": (
                lambda claim, factors: "H" not in factors
            ),
            "It is wrong only where the claim is right: nothing was forgotten then.": (
                lambda claim, factors: claim == prod(factors.values())
            ),
            "It is wrong only where no single factor explains the claim.": (
                lambda claim, factors: not _forgotten(claim, factors)
            ),
            "It is wrong only where several factors have the value that is missing.": (
                lambda claim, factors: len(_forgotten(claim, factors)) > 1
            ),
            "It is wrong only where one factor explains the claim.": (
                lambda claim, factors: len(_forgotten(claim, factors)) == 1
            ),
            "It is wrong wherever a factor explains the claim.": (
                lambda claim, factors: bool(_forgotten(claim, factors))
            ),
        },
        read=lambda case, value: sorted(value) if isinstance(value, (list, tuple, frozenset)) else value,
        idea="Multiply all factors but one, for each of them in turn, and compare with the claim.",
    )
