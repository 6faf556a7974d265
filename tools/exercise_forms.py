"""The form in which a page asks for an answer: the fields of an answer's cell.

A cell that wants numbers, choices or a text holds `None` for each; the form is its source cut there, and a
field for each cut. What the fields say, put back, is the cell that the notebook would hold. A cell that wants
anything else has no form, and the page shows an editor.
"""

import ast
import re

from kvlib.checks import Choice, Each, Number, Several, Words

UNITS = {"B": "bytes"}
LISTED = re.compile(r"^ *- \*\*([a-z])\*\* (.+)$", re.MULTILINE)
INLINE = re.compile(r"(?:^|(?<=· )|(?<=: ))([a-z])\) (.+?)(?= · [a-z]\) |$)", re.MULTILINE)


def form(source: str, variable: str, marker, text: str = "") -> dict | None:
    """{"pieces": the source between the fields, "fields": one for each cut}, or None where there is none.

    source    the cell as it is handed out
    variable  the name whose value is the answer
    marker    the object that marks it
    text      the exercise's, in which choices by letter are spelt out
    """
    value = _value(source, variable)
    if isinstance(marker, Words):
        field = {
            "kind": "text", "label": "Your text", "words": [marker.least, marker.most],
            "rows": [[name, said] for name, said in marker.rows.items()],
            "named": len(value.keys) > 1,  # the cell names the rows that are not read yet
        }  # fmt: skip
        return _cut(source, [(value, field)])
    if _is_none(value):
        field = _field(marker, "Your answer")
        return _cut(source, [(value, field)], _letters(text)) if field else None
    if not isinstance(value, ast.Dict) or not isinstance(marker, Each):
        return None
    keys = [key.value for key in value.keys if isinstance(key, ast.Constant)]
    if keys != list(marker.parts) or not all(map(_is_none, value.values)):
        return None
    fields = [_field(part, key) for key, part in marker.parts.items()]
    return _cut(source, list(zip(value.values, fields, strict=True)), _letters(text)) if all(fields) else None


def _value(source, variable):
    """What `variable` is last given at the top of a cell."""
    values = [
        node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == variable
    ]
    return values[-1] if values else None


def _is_none(node) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _field(marker, label) -> dict | None:
    if isinstance(marker, Number):
        return {"kind": "number", "label": label, "unit": UNITS.get(marker.unit, marker.unit)}
    if isinstance(marker, Choice):
        return {"kind": "choice", "label": label, "options": [[word, ""] for word in marker.allowed]}
    if isinstance(marker, Several):
        allowed = sorted([*marker.holds, *marker.others], key=str.lower)
        return {"kind": "several", "label": label, "options": [[word, ""] for word in allowed]}
    return None


def _cut(source, fields, letters=()) -> dict:
    """The form: `source` without the nodes that are fields."""
    lines = source.encode().split(b"\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    pieces, at, data = [], 0, source.encode()
    for node, field in fields:
        begin = starts[node.lineno - 1] + node.col_offset
        pieces.append(data[at:begin].decode())
        at = starts[node.end_lineno - 1] + node.end_col_offset
        comment = re.match(rb",?  # ([^\n]+)", data[at:])
        if comment and field["kind"] == "number":
            field["label"] += f", {comment[1].decode()}"
    asked = [field for _, field in fields]
    _spell_out(asked, letters)
    return {"pieces": [*pieces, data[at:].decode()], "fields": asked}


def _letters(text: str) -> list[dict[str, str]]:
    """The lists of choices in an exercise's text, in their order: letter -> what it stands for, plain."""
    lists: list[dict[str, str]] = []
    for match in [*LISTED.finditer(text), *INLINE.finditer(text)]:
        if match[1] == "a":
            lists.append({})
        if lists:
            lists[-1][match[1]] = re.sub(r"<!--.*?-->|[*`]", "", match[2]).strip()
    return lists


def _spell_out(fields, lists):
    """Say beside each letter what it stands for, where it is clear which list a field means."""
    lettered = [field for field in fields if "options" in field and field["options"][0][0] == "a"]
    if len(lists) == 1:
        lists = lists * len(lettered)
    if len(lists) != len(lettered):
        return
    for field, meant in zip(lettered, lists, strict=True):
        if [word for word, _ in field["options"]] == list(meant):
            field["options"] = [[word, meant[word]] for word in meant]
