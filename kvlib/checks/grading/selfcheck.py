"""nbval."""


def run(paths):
    raise ValueError("not yet")
