"""What cheats hand in, and what happens to honest work: the list, as data.

ATTACKS    name -> Attack. Nobody has answered anything there, so none of it deserves a point
ACCIDENTS  name -> Accident. Each costs only what was lost by it, or is not graded, with its reason

Each makes of a `Sheet` (`sheet("02-the-formula")`) what is handed in: a notebook, or a file's bytes;
`handed_in` gives its bytes.
"""

import json

from . import claims, editors, files, harm, lookups, objects, slips  # noqa: F401
from .accident import ACCIDENTS, Accident
from .attack import ATTACKS, Attack
from .sheets import Sheet, sheet

__all__ = ["ACCIDENTS", "ATTACKS", "Accident", "Attack", "Sheet", "handed_in", "sheet"]


def handed_in(entry: Attack | Accident, name: str) -> bytes:
    """The file that `entry` makes of the notebook `name`."""
    made = entry.make(sheet(name))
    if isinstance(made, dict):
        made = json.dumps(made)
    return made if isinstance(made, bytes) else made.encode()
