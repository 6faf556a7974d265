"""Keys of a real model and the steps that they are rounded to, by token against by channel."""

import re

import traitlets

from ..units import dtype as as_dtype
from .base import Choice, Figure, Table, Whole, constant, dtypes
from .recorded import lacking, recording, unpacked

FIELDS = (
    "model", "device", "versions", "date", "command", "commit", "dtype", "prompt", "layer", "kv_head", "head",
    "rope_theta", "unit", "tokens", "keys_high", "keys_low", "query", "outliers", "gains", "measured",
)  # fmt: skip
SHAPE = TOKENS, CHANNELS = 32, 64
BITS = (8, 4, 2)
GROUPS = (32, 16, 8)
LEAST, MOST, STEP = -20, 12, 0.25  # of what a number can be moved to
# "21.23:-6.5": the number of token 21 (from 1) in channel 23 (from 0) is moved to -6.5.
_QUARTERS = r"(\.(25|5|75))?"
MOVED = re.compile(
    rf"((?P<token>[1-9]|[12]\d|3[0-2])\.(?P<channel>\d|[1-5]\d|6[0-3]):"
    rf"(?P<value>-(20|1?\d{_QUARTERS})|12|(\d|1[01]){_QUARTERS}))?"
)


def numbers(recorded: dict, rotated: bool, moved: str = ""):
    """The recorded keys [32, 64] as float32, each of them a number that float16 holds too.

    rotated  turned by their positions, as a cache keeps them, and rounded to float16
    moved    "21.23:-6.5": one of them replaced
    """
    import numpy as np

    high, low = (unpacked(recorded[name]).astype(int) for name in ("keys_high", "keys_low"))
    keys = (256 * high + low) / recorded["unit"]
    if rotated:
        half = CHANNELS // 2
        angles = np.outer(np.arange(TOKENS), recorded["rope_theta"] ** -(np.arange(half) / half))
        cos, sin, a, b = np.cos(angles), np.sin(angles), keys[:, :half], keys[:, half:]
        keys = np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=1)
    keys = keys.astype(np.float16).astype(np.float32)
    if moved:
        place = MOVED.fullmatch(moved)
        keys[int(place["token"]) - 1, int(place["channel"])] = float(place["value"])
    return keys


class RealKey(Figure):
    """Keys of one layer and KV head of SmolLM2, quantized by token and by channel, and what that costs.

    RealKey(bits=4, group=32, token=21, channel=23): the bits of a code, the numbers that share a scale and
    a zero point, and the number that is looked at, its token from 1 and its channel from 0.

    rotated   whether the keys are those that a cache keeps, or those before rotation
    moved     "21.23:-6.5": the number of one token and channel, moved to a multiple of 0.25 from -20 to 12
    recorded  a recording in the form of book/recordings/key.json, which is shown by default
    nbytes    bytes of these keys as codes
    Raises ValueError for a value out of bounds, or a recording that lacks something.
    """

    script = "realkey.js"
    title = constant("Quantise a real key")

    rotated = traitlets.Bool(True).tag(sync=True)
    bits = Choice(4, BITS)
    group = Choice(32, GROUPS)
    token = Whole(21, most=TOKENS)
    channel = Whole(23, least=0, most=CHANNELS - 1)
    moved = traitlets.Unicode("").tag(sync=True)
    ends = constant([LEAST, MOST, STEP])
    dtypes = constant(dtypes(["fp16", *(f"int{bits}-g{group}" for bits in BITS for group in GROUPS)]))
    data = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, recorded=None, **rest):
        recorded = recording("key") if recorded is None else recorded
        lacking("recorded", recorded, FIELDS)
        for name in ("keys_high", "keys_low"):
            if recorded[name]["shape"] != list(SHAPE):
                raise ValueError(
                    f"recorded[{name!r}] must be of shape {list(SHAPE)}, not {recorded[name]['shape']}"
                )
        self.recorded = recorded
        super().__init__(**rest)
        shown = ("rope_theta", "unit", "tokens", "keys_high", "keys_low", "query")
        self.set_trait("data", {name: recorded[name] for name in shown})
        self.set_trait("limits", self.limits | {"moved": re.sub(r"\?P<\w+>", "", MOVED.pattern)})
        self.set_trait(
            "lead",
            f"Keys of SmolLM2, layer {recorded['layer']}, KV head {recorded['kv_head']}, recorded on "
            f"{recorded['date']} while it read one sentence: {TOKENS} tokens of {CHANNELS} numbers. Choose "
            "one, drag it, and see whose steps become coarser.",
        )

    @traitlets.validate("moved")
    def _place(self, proposal):
        if not MOVED.fullmatch(proposal["value"]):
            raise ValueError(
                f'moved must be a token, a channel and a value like "21.23:-6.5", not {proposal["value"]!r}'
            )
        return proposal["value"]

    @property
    def nbytes(self) -> int:
        """Bytes of these keys as codes, scales and zeros: as many by token as by channel."""
        return as_dtype(f"int{self.bits}-g{self.group}").nbytes(TOKENS * CHANNELS)

    def table(self) -> Table:
        kind = "after rotation" if self.rotated else "before rotation"
        rows = []
        for row in self.recorded["measured"]:
            if row["rotated"] == self.rotated and row["group"] == self.group:
                nbytes = as_dtype(f"int{row['bits']}-g{row['group']}").nbytes(TOKENS * CHANNELS)
                name = f"{row['bits']} bits, by {row['keys']}"
                rows.append([name, f"{nbytes:,}", f"{row['error']:.4f}", f"{row['scores']:.4f}"])
        return Table(
            f"Keys {kind} in groups of {self.group}; errors are root mean squares",
            ["codes", "bytes", "error of a number", "error of a score"],
            rows,
        )
