"""What runs here: kvlib's version and Python's."""

import platform

from .. import __version__


def about(given: dict) -> dict:
    return {"kvlib": __version__, "python": platform.python_version()}
