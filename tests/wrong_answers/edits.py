"""A student's program with one thing changed: the functions and classes of the tables are made so."""


def edited(source: str, name: str, *changes: tuple[str, str]):
    """What `name` is in the program `source` after each (old, new) of `changes`."""
    for old, new in changes:
        assert old in source, f"{old!r} is not in the program"
        source = source.replace(old, new)
    names: dict = {}
    exec(source, names)
    return names[name]
