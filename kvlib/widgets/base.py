"""The base of every figure: an anywidget that also lives in a page without a kernel.

How to write one: subclass Figure, name its script, declare its state, give its table.

    class Growth(Figure):
        script = "growth.js"                  # in static/: function render({ model, el })
        title = constant("How the cache grows")
        lead = constant("Move the context and see the cache follow.")
        context = Whole(4096, most=2**24)     # a number: number(f, "context", {label, unit})
        dtype = Choice("bf16", DTYPES)        # one of a list: choice(f, "dtype", {label})
        dtypes = constant(dtypes(DTYPES))     # what the script needs and must not repeat
        data = Dict().tag(sync=True)          # what only Python may compute; JSON, ints < 2**53

        def table(self):                      # what a page without JavaScript shows
            return Table("caption", ["context", "bytes"], [[4096, "512 MiB"]])

and growth.js, which is a module with the shared files before it, so it imports nothing:

    function render({ model, el }) {
      const f = figure(el, model);                        // frame.js: title, lead, live regions, the table
      number(f, "context", { label: "Context", unit: "tokens", stops: [512, 4096, 32768] });
      choice(f, "dtype", { label: "Precision" });         // controls.js; player() steps, plays and scrubs
      const result = verdict(f);                          // frame.js: the result, which stays in view
      const bar = stack(f, ["cache", "free"]);            // drawing.js: texture, swatch, legend, bars, chart
      f.body.append(bar.el);
      share(f, "growth");                                 // page.js: a link to the setting, and Reset
      f.draw(() => {
        const all = 64n * UNITS.GiB, bytes = kvBytes({ context: f.get("context"), … });   // maths.js: BigInt
        result.show(fmt(bytes));
        bar.show([["cache", bytes], ["free", all - bytes]], all, { alt: `${fmt(bytes)} of ${fmt(all)}` });
        f.say(`The cache takes ${fmt(bytes)}.`);          // once, after the last change
        f.table("The cache", ["context", "bytes"], [[f.get("context"), group(bytes)]]);
      });
    }

Each shared file begins with what it offers. State is read by f.get alone, so that the frame can pose another
while it measures. Numbers that were recorded travel in `data` by `recorded.packed`; `unpacked` reads them.
growth.css, where there is one, follows style.css; its classes are its own. growth.model.js, where there is
one, stands before growth.js: what this figure alone computes; and so does any other growth.PART.js. A trait
can't be called `layout` or `keys`: ipywidgets has both.
"""

import json
import re
import sys
import uuid
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path

import anywidget
import traitlets

from ..units import dtype as as_dtype, unknown, whole_number
from . import palette

STATIC = Path(__file__).parent / "static"
SHARED = ("maths.js", "frame.js", "controls.js", "drawing.js", "page.js")
# Shared by some: carried where a figure's own script calls what they offer.
SOME = {"recorded.js": "unpacked(", "compare.js": "pin("}
_ANYWIDGET = frozenset(anywidget.AnyWidget.class_trait_names())


class Whole(traitlets.TraitType):
    """A whole number from `least` to `most`; a ValueError names the argument otherwise."""

    def __init__(self, default, *, least=1, most):
        super().__init__(default)
        self.limits = [least, most]
        self.tag(sync=True)

    def validate(self, owner, value):
        value = whole_number(self.name, value, self.limits[0])
        if value > self.limits[1]:
            raise ValueError(f"{self.name} must be at most {self.limits[1]:,}, not {value:,}")
        return value


class Choice(traitlets.TraitType):
    """One of `known` names; a ValueError with near matches otherwise."""

    def __init__(self, default, known):
        super().__init__(default)
        self.limits = list(known)
        self.tag(sync=True)

    def validate(self, owner, value):
        if value not in self.limits:
            raise unknown(self.name, value, self.limits)
        return value


def constant(value):
    """A trait that never changes: what the script reads and Python alone decides. `value` is JSON."""
    return traitlets.Any(value, read_only=True).tag(sync=True)


def dtypes(names) -> dict:
    """What maths.js needs of each dtype: {name: {"values": …, "bytes": …}}."""
    known = [as_dtype(name) for name in names]
    return {d.name: {"values": d.values, "bytes": d.bytes} for d in known}


@dataclass
class Table:
    """A figure in words and numbers; the first cell of a row is the row's name."""

    caption: str
    headers: list
    rows: list

    def html(self) -> str:
        def row(cells):
            first, *rest = (escape(str(c)) for c in cells)
            return f'<tr><th scope="row">{first}</th>{"".join(f"<td>{c}</td>" for c in rest)}</tr>'

        head = "".join(f'<th scope="col">{escape(str(c))}</th>' for c in self.headers)
        body = "".join(row(r) for r in self.rows)
        return (
            f"<table><caption>{escape(self.caption)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )


@lru_cache
def _read(name: str) -> str:
    """A file of static/ as a page has it: no comments, few blanks; a script's lines begin with one."""
    text = (STATIC / name).read_text(encoding="utf-8")
    if name.endswith(".js"):
        text = re.sub(r"^ *//.*\n", "", text, flags=re.MULTILINE)
        # After code, only where no quote follows: so it is not within a string.
        text = re.sub(r" +// [^\n\"'`]*$", "", text, flags=re.MULTILINE)
        # One blank and not none: by it `tools.assets` tells what is outermost.
        return re.sub(r"^ +", " ", re.sub(r"\n{2,}", "\n", text), flags=re.MULTILINE)
    return re.sub(r"\s*([{};])\s*", r"\1", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))


@lru_cache
def style(script: str = "") -> str:
    """The style sheet: the palette's variables, every figure's rules, and those of `script`'s own."""
    own = script.replace(".js", ".css")
    names = ["style.css", own] if own and (STATIC / own).exists() else ["style.css"]
    return "\n".join([palette.css(), *map(_read, names)])


@lru_cache
def shared() -> str:
    """The text that stands before every figure's own script."""
    textures = f"const TEXTURES = {json.dumps(palette.TEXTURES)};\n"
    return "\n".join([textures, *map(_read, SHARED)])


def code(script: str) -> str:
    """The text of a figure's module, without its export."""
    parts = STATIC.glob(script.replace(".js", ".*.js"))
    own = "\n".join(map(_read, [*sorted(part.name for part in parts), script]))
    some = [_read(name) for name, call in SOME.items() if call in own]
    return "\n".join([shared(), *some, own])


class Figure(anywidget.AnyWidget):
    """A figure that computes in JupyterLab, VS Code, Colab and in a static page."""

    script = ""  # the file in static/ with render()
    title = constant("")
    lead = constant("")  # a sentence or two: what it shows, what to try

    # Of each control: [least, most], its choices, or a pattern that its text matches.
    limits = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, **values):
        for name in values:
            if name not in self.trait_names():
                raise unknown(f"argument of {type(self).__name__}", name, self.synced())
        super().__init__(**values)

    def __init_subclass__(cls, **kwargs):
        if "script" in cls.__dict__:  # anywidget subclasses again to add its traits
            cls._esm = code(cls.script) + "\nexport default { render };\n"
            cls._css = style(cls.script)
        super().__init_subclass__(**kwargs)

    # ipywidgets 7 would display its own view and nothing else; without its method, IPython asks for
    # the MIME bundle.
    _ipython_display_ = None

    @traitlets.default("limits")
    def _limits(self):
        own = {name: t for name, t in self.traits(sync=True).items() if name not in _ANYWIDGET}
        # What is pinned as A is bound as what it was: a_model as model. page.js knows so.
        own = {name: t for name, t in own.items() if not name.startswith("a_")}
        yes_or_no = {name: [False, True] for name, t in own.items() if isinstance(t, traitlets.Bool)}
        return yes_or_no | {name: t.limits for name, t in own.items() if isinstance(t, Whole | Choice)}

    def table(self) -> Table:
        """What a reader without JavaScript sees."""
        raise NotImplementedError

    def synced(self) -> dict:
        """The figure's own synced traits by name: what its script reads."""
        return {
            name: getattr(self, name)
            for name in self.keys
            if name not in _ANYWIDGET and not name.startswith("_")
        }

    def html(self) -> str:
        """The figure as a piece of a static page: table, state and module; asks no other host."""
        ident = f"kv-{uuid.uuid4().hex[:10]}"
        # No "<" in it: "</script>" would end the state, "<!--<script>" swallow the page after it.
        state = json.dumps(self.synced(), separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
        return (
            f'<div class="kv-page kv-of-{Path(self.script).stem}" id="{ident}">'
            f"<style>{style(self.script)}</style>"
            f'<div class="kv-figure kv-static"><h3 class="kv-title">{escape(self.title)}</h3>'
            f'<div class="kv-scroll" role="group" aria-label="{escape(self.title)}: the table" tabindex="0">'
            f"{self.table().html()}</div></div></div>\n"
            f'<script type="application/json" id="{ident}-state">{state}</script>\n'
            f'<script type="module">\n{code(self.script)}\nmount("{ident}", render);\n</script>'
        )

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        # Of a live view and HTML, Colab would show the HTML; every other front end shows the view.
        if bundle is not None and "google.colab" not in sys.modules:
            bundle[0]["text/html"] = self.html()
        return bundle
