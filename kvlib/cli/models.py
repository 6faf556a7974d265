"""`kvlib models`: the shipped models, and what each keeps of a token."""

from ..configs import layout, models, source


def add_arguments(parser):
    """It takes none."""


def run(args) -> int:
    """What `kvlib models` prints; returns the exit status."""
    names = models()
    width = max(map(len, names))
    for name in names:
        per_token = f"{layout(name).bytes_per_token():>9,}"
        print(f"{name:{width}}  {per_token} bytes per token in bf16  {source(name)['id']}")
    return 0
