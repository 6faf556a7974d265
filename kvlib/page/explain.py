"""A log that the reader pasted: what `kvlib explain` says of it."""

from argparse import ArgumentTypeError, Namespace

from ..cli.explain import answered
from ..cli.options import count


def explain(given: dict) -> dict:
    """The text that `kvlib explain` prints.

    given    "text": the log; "model", "gpu" and "tp" as the command takes them, "" where they are not told
    returns  "text"

    Raises ValueError where the command does, with the same words.
    """
    options = {name: given.get(name) or None for name in ("model", "gpu")}
    try:
        tp = count(given["tp"]) if given.get("tp") else None
    except ArgumentTypeError as error:
        raise ValueError(f"--tp: {error}") from None
    args = Namespace(**options, tp=tp, pp=None, dtype=None, kv_cache_dtype=None)
    return {"text": answered(given["text"], args).text()}
