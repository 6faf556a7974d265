"""A course folder: nbgrader's own layout, and what `kvlib course` keeps beside it.

course/
  nbgrader_config.py   nbgrader's configuration, with the plugins of this package
  students.csv         the class, for `nbgrader db student import students.csv`
  secret.txt           draws each student's numbers; whoever has it knows them all
  source/NAME/         the notebooks with their answers
  release/NAME/        nbgrader's: what is handed out
  variants/NAME/       the same with numbers of its own for each student
  received/NAME/       every file as it came, and the ledger of what became of it
  submitted/, autograded/, feedback/, gradebook.db   nbgrader's
"""

import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

CONFIG = "nbgrader_config.py"
TEMPLATE = Path(__file__).parent / "static" / "nbgrader_config.txt"
STUDENTS = "id,last_name,first_name,email,lms_user_id\n"


@dataclass(frozen=True)
class Course:
    """The course folder `root`."""

    root: Path

    @property
    def secret(self) -> str:
        """The secret of the class's numbers. Raises ValueError where there is none."""
        path = self.root / "secret.txt"
        text = path.read_text(encoding="utf-8").strip() if path.exists() else ""
        if not text:
            raise ValueError(
                f"{path} has no secret; write one line of your own into it, and keep it to yourself"
            )
        return text

    def step(self, step: str, student: str, assignment: str) -> Path:
        """nbgrader's folder of a step: submitted, autograded, feedback."""
        return self.root / step / student / assignment

    def released(self, assignment: str) -> Path:
        return self.root / "release" / assignment / f"{assignment}.ipynb"

    def variants(self, assignment: str) -> Path:
        return self.root / "variants" / assignment

    def received(self, assignment: str) -> Path:
        return self.root / "received" / assignment

    @property
    def gradebook(self) -> str:
        """The address of nbgrader's database."""
        return f"sqlite:///{self.root.resolve() / 'gradebook.db'}"


def here(root: Path | None = None) -> Course:
    """The course folder that this command is run in. Raises ValueError where it is none."""
    root = root or Path.cwd()
    if not (root / CONFIG).exists():
        raise ValueError(f"{root} is no course folder: it has no {CONFIG}; `kvlib course make` makes one")
    return Course(root)


def make(root: Path, solutions: Path) -> list[str]:
    """Lay out a course folder; in one that is there, add what is missing and change nothing else.

    Returns the paths that were made, relative to `root`. Raises ValueError where `solutions` has no notebook.
    """
    notebooks = sorted(solutions.glob("*.ipynb"))
    if not notebooks:
        raise ValueError(
            f"{solutions} has no notebook; run this in the repository, whose solutions/ it copies"
        )
    root.mkdir(parents=True, exist_ok=True)
    made = []
    files = {
        CONFIG: TEMPLATE.read_text(encoding="utf-8"),
        "students.csv": STUDENTS,
        ".gitignore": "# Students' names, work and grades: nothing here belongs in a repository.\n*\n",
        "secret.txt": secrets.token_hex(16) + "\n",
    }
    for name, text in files.items():
        if not (root / name).exists():
            (root / name).write_text(text, encoding="utf-8")
            made.append(name)
    os.chmod(root / "secret.txt", 0o600)
    for notebook in notebooks:
        target = root / "source" / notebook.stem / notebook.name
        if not target.exists():
            target.parent.mkdir(parents=True)
            shutil.copy(notebook, target)
            made.append(target.relative_to(root).as_posix())
    return made
