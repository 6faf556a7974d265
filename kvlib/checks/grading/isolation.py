"""What protects the grader from the answers on this machine, and what does not."""

import sys
from dataclasses import dataclass

from .process import Limits, Process, Refused
from .staging import Stage, staged

WAYS = ("namespaces", "landlock", "process")
ALWAYS = (
    "Answers run in a process of their own, without questions and references; points are given outside it.",
    "It begins with an emptied environment, and is ended when it takes too long or too much memory.",
    "What it sends is read as plain values; the notebook's saved outputs and checks count for nothing.",
)
NOT = (
    "The memory that a function takes is measured in its own process, where a patient cheat could hide some.",
    "A right answer that was copied looks like one that was found: variants (--secret) are for that.",
)
PROTECTS = {
    "namespaces": (
        "It sees Python, its packages and kvlib without the questions, read-only, and nothing else of this"
        " machine: no solutions, submissions, gradebook or home.",
        "It has no network, sees no other process, and has no rights of root's.",
    ),
    "landlock": (
        "It can read Python, its packages and kvlib without the questions, and write to an empty folder:"
        " no solutions, submissions, gradebook or home.",
        "It can look into no other process.",
    ),
    "process": (),
}
WEAKER = {
    "namespaces": (),
    "landlock": (
        "Namespaces are refused on this machine, so it may see names of other processes, send them signals"
        " where the kernel is older than Linux 6.12, and reach the network (from Linux 6.7 on, not by TCP).",
    ),
    "process": (
        "It can read every file that you can, also solutions and other submissions, and write where you can.",
        "It can use the network, and end or look into your other processes.",
        "Where this is not Linux, nothing bounds the memory that it takes.",
        "Grade in a container or a virtual machine, on Linux with namespaces, what you do not trust.",
    ),
}
SHORT = {
    "namespaces": "answers ran in Linux namespaces: no files but Python's, no network, no other processes",
    "landlock": "answers ran under Landlock: no files but Python's; the network and signals are not shut off",
    "process": "answers ran in a separate process only: your files and the network were open to them",
}


@dataclass(frozen=True)
class Isolation:
    """The strongest way that this machine allows; `refused` says why each stronger one is not it."""

    way: str
    refused: tuple[tuple[str, str], ...]

    def text(self) -> str:
        """In plain sentences, what protects here and what does not."""
        lines = [f"way: {self.way}"]
        lines += [f"  {way} refused: {why}" for way, why in self.refused]
        lines += ["protects:", *(f"  {said}" for said in (*ALWAYS, *PROTECTS[self.way]))]
        lines += ["does not:", *(f"  {said}" for said in (*WEAKER[self.way], *NOT))]
        return "\n".join(lines)


def strongest(stage: Stage, ways=WAYS) -> Isolation:
    """The first of `ways` in which a process can be started here. Raises OSError if there is none."""
    refused = []
    for way in ways:
        if way != "process" and sys.platform != "linux":
            refused.append((way, "Linux alone has it"))
            continue
        try:
            Process(stage, way, Limits()).close()
        except Refused as why:
            refused.append((way, str(why)))
            continue
        return Isolation(way, tuple(refused))
    raise OSError("; ".join(f"{way}: {why}" for way, why in refused))


def here() -> Isolation:
    with staged() as stage:
        return strongest(stage)
