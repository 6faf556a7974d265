"""A text as the answer, read by a person."""

from collections.abc import Mapping
from dataclasses import dataclass

from .marking import BLANK


@dataclass(frozen=True)
class Words:
    """A short text, held to a rubric: by its writer alone, in a class by whoever teaches.

    rows  name of a row -> what the text must say
    least, most  words

    The answer is a dict: "text", and for each row True or False once the writer has read it against the row.
    """

    rows: Mapping[str, str]
    least: int = 60
    most: int = 200

    def mark(self, answer):
        if isinstance(answer, str):
            answer = {"text": answer}
        if not isinstance(answer, dict) or not isinstance(answer.get("text", ""), str):
            return 0, 'Not yet. Give a dict: "text", and True or False for each row of the rubric.'
        words = len(answer.get("text", "").split())
        if not words:
            return 0, BLANK
        if not self.least <= words <= self.most:
            return 0, f"Not yet. Your text has {words} words; write {self.least} to {self.most}."
        unread = [name for name in self.rows if not isinstance(answer.get(name), bool)]
        if unread:
            lines = [f"  {name}: {self.rows[name]}" for name in unread]
            return 0, "\n".join(["Read your text against these, and say of each True or False:", *lines])
        met = sum(answer[name] for name in self.rows)
        missing = [f"  {name}: {said}" for name, said in self.rows.items() if not answer[name]]
        said = f"By your own reading it meets {met} of {len(self.rows)} rows."
        return met / len(self.rows), "\n".join([said, *missing]) if missing else f"Right. {said}"
