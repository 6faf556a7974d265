"""How an attack is written down."""

from dataclasses import dataclass

from .sheets import Sheet, put

ATTACKS: dict = {}


@dataclass(frozen=True)
class Attack:
    """`make` gives what is handed in.

    hangs  it takes all the time that it is given
    armed  code that gets at right answers where it is run beside them: a test does so, to see that it would
    needs  "files" or "processes": only where these are out of sight does it come to nothing
    """

    make: object
    hangs: bool = False
    armed: str = ""
    needs: str = ""


def attack(name, **more):
    def register(make):
        ATTACKS[name] = Attack(make, **more)
        return make

    return register


def steals(name: str, source: str, armed: bool = False, needs: str = ""):
    """An attack that hands in what steal(question, name of the answer's variable) gives; `source` has it."""

    def make(sheet: Sheet):
        notebook = sheet.answered(lambda e: f"{e.variable} = steal({e.question!r}, {e.variable!r})")
        return put(notebook, sheet.exercises[0].answer, source)

    ATTACKS[name] = Attack(make, armed=source if armed else "", needs=needs)


def runs(name: str, source: str, **more):
    """An attack of one cell; the answers stay blank."""
    ATTACKS[name] = Attack(lambda sheet: put(sheet.blank(), sheet.exercises[0].answer, source), **more)
