"""What a page asks of kvlib: JSON in, JSON out, with nothing but the standard library.

    answer("about", "{}")  ->  '{"kvlib": "0.1.0", "python": "3.14.2"}'

A page of the book runs it in a worker, under Python compiled to WebAssembly; a test runs it anywhere. What
can be asked is a function of a module here, which is imported when it is first asked; it takes what the
payload says and returns what JSON can say, a dict. Only the pages use this room; no other imports it.
"""

import contextlib
import io
import json
import traceback
import warnings
from importlib import import_module

# name -> module:function
ASKED = {
    "about": "kvlib.page.about:about",
    "config": "kvlib.page.config:config",
    "explain": "kvlib.page.explain:explain",
    "check": "kvlib.page.exercise:check",
}
MOST = 1_000_000  # characters of an answer
PRINTED = 10_000  # characters that are kept of what is printed meanwhile
WARNED = 20  # warnings, likewise


def answer(name: str, payload: str) -> str:
    """The answer to `name`, one of ASKED, for the JSON object `payload`: a JSON object, and never an error.

    It holds what the function returned; `"warnings"`, a list, and `"printed"`, a text, where there were any;
    and in place of the rest `"error"`, a sentence for a mistake of the reader's, or `"bug"`, the traceback
    of one of kvlib's own.
    """
    printed = _Printed()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            said = _said(name, payload)
    messages = list(dict.fromkeys(str(warning.message) for warning in caught))[:WARNED]
    if messages:
        said["warnings"] = messages
    if printed.text():
        said["printed"] = printed.text()
    try:
        text = json.dumps(said, allow_nan=False)
    except Exception:
        return json.dumps({"bug": _traceback()})
    return text if len(text) <= MOST else json.dumps({"error": _too_long(len(text))})


def _said(name: str, payload: str) -> dict:
    try:
        given = json.loads(payload)
        module, function = ASKED[name].split(":")
        asked = getattr(import_module(module), function)
    except BaseException:
        return {"bug": _traceback()}
    try:
        return dict(asked(given))
    # The errors that the command line says in one line.
    except (ValueError, OSError, RecursionError, ModuleNotFoundError) as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": "This needs more memory than there is."}
    except BaseException:  # SystemExit too, which would end the page's Python
        return {"bug": _traceback()}


def _traceback() -> str:
    return traceback.format_exc(limit=-20)[-8000:]


def _too_long(length: int) -> str:
    return f"The answer has {length:,} characters, and a page shows at most {MOST:,}."


class _Printed(io.TextIOBase):
    """Keeps the first PRINTED characters of what is written, and counts the rest."""

    def __init__(self):
        self._parts: list[str] = []
        self._room, self._left_out = PRINTED, 0

    def write(self, text: str) -> int:
        if self._room:
            self._parts.append(text[: self._room])
        self._left_out += max(0, len(text) - self._room)
        self._room = max(0, self._room - len(text))
        return len(text)

    def text(self) -> str:
        more = f"\n… and {self._left_out:,} characters more" if self._left_out else ""
        return "".join(self._parts) + more
