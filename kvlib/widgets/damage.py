"""A cache that the reader damages: a tiny language model runs in the page and writes on from what is left."""

import re

import traitlets

from ..units import fmt
from .base import Choice, Figure, Table, Whole, constant, dtypes
from .huffman import coded
from .tiny import tiny, tiny_layout

BITS = {16: "fp16", 8: "int8-g16", 4: "int4-g16", 2: "int2-g16"}
EVERY_TOKEN = 0  # of `window`
PLACES = re.compile(r"(\d{1,3}(\.\d{1,3})*)?")


class Damage(Figure):
    """The end of a story, written from a whole cache and from a damaged one.

    Damage(story=1, window=32, sinks=4): one of six stories, and what is done to the cache.

    bits      16 (fp16), or 8, 4, 2 bits with a scale and a zero point for each head's 16 numbers
    window    tokens that each token looks back on, itself included; 0 for all
    sinks     first tokens that stay whatever the window
    rotation  whether a key is turned by its position before it is kept
    dropped   places of tokens, "17.21", whose keys and values are gone once the prompt has been read
    step      tokens written so far
    Raises ValueError for a value that is none of these.
    """

    script = "damage.js"
    title = constant("A cache that you can damage")
    lead = constant(
        "A language model of 99,200 weights runs in this page. It has read the beginning of a story and "
        "writes the end, word by word, with nothing to go by but its cache. Take something away from that."
    )

    story = Choice(1, range(1, 7))
    bits = Choice(16, BITS)
    window = Choice(EVERY_TOKEN, (EVERY_TOKEN, 64, 48, 32, 16))
    sinks = Choice(0, (0, 1, 4))
    rotation = traitlets.Bool(True).tag(sync=True)
    dropped = traitlets.Unicode("17").tag(sync=True)
    step = Whole(50, least=0, most=50)
    dtypes = constant(dtypes(BITS.values()))
    data = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, **values):
        super().__init__(**values)
        self.set_trait("limits", self.limits | {"dropped": PLACES.pattern})

    @traitlets.default("data")
    def _data(self):
        kept = {k: tiny()[k] for k in ("shape", "vocabulary", "scales", "levels", "stories")}
        return kept | {"codes": coded(tiny()["codes"])}

    @traitlets.validate("dropped")
    def _places(self, proposal):
        if not PLACES.fullmatch(proposal["value"]):
            raise ValueError(f'dropped must be places like "17.21", not {proposal["value"]!r}')
        return proposal["value"]

    @property
    def nbytes(self) -> int:
        """Bytes of the damaged cache after `step` tokens; the last of them goes into it with the next."""
        length = len(self.data["stories"][self.story - 1]["prompt"].split()) + max(0, self.step - 1)
        first = length - self.window if self.window else 0
        gone = {int(place) for place in self.dropped.split(".") if place}
        kept = [i for i in range(length) if (i >= first or i < self.sinks) and i not in gone]
        return len(kept) * tiny_layout(self.data).bytes_per_token(BITS[self.bits])

    def table(self) -> Table:
        measured, facts = tiny()["measured"], len(self.data["stories"][0]["facts"])
        rows = [
            [row["name"], fmt(row["bytes"]), f"{row['first']} of {facts}", f"{100 * row['right']:.1f} %"]
            for row in measured["rows"]
        ]
        return Table(
            "What the model still tells right of names, places, colours and things",
            ["cache", "bytes", "in the first story", f"in {measured['stories']} stories"],
            rows,
        )
