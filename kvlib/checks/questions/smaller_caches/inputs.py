"""Counts that a reader gives as an input of a faulty function."""

MOST = 2_000  # tokens of an input


def whole(least, **given):
    """What is wrong with counts that must be whole numbers of at least `least`, or ""."""
    for name, value in given.items():
        if type(value) is not int or not least <= value <= MOST:
            return f"{name} is a whole number from {least} to {MOST:,}."
    return ""
