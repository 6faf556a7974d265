"""Chapter 08's memory: the most that was in use at one time, and what it was."""

from ...answers import Function, Slip
from ..common import question


def _alive(log):
    """After each line of the log: name -> bytes of what is alive."""
    alive = {}
    for name, nbytes in log:
        if nbytes:
            alive[name] = nbytes
        else:
            del alive[name]
        yield dict(alive)


def _total(alive):
    return sum(alive.values())


def _peak(log):
    """(the most bytes in use at once, name -> bytes of what was alive then, the first time)."""
    then = max(_alive(log), key=_total, default={})
    return _total(then), then


def _never_freed(log):
    every = [(name, nbytes) for name, nbytes in log if nbytes]
    return sum(nbytes for _, nbytes in every), dict(every)


def _never_deleted(log):
    """As if nothing were freed; what uses a name again takes its place."""
    every, most, then = {}, 0, {}
    for name, nbytes in log:
        every |= {name: nbytes} if nbytes else {}
        if sum(every.values()) > most:
            most, then = sum(every.values()), dict(every)
    return most, then


def _at_end(log):
    then = [{}, *_alive(log)][-1]
    return _total(then), then


def _last_time(log):
    then = max(reversed([{}, *_alive(log)]), key=_total)
    return _total(then), then


def _largest(log):
    name, nbytes = max(log, key=lambda event: event[1], default=("", 0))
    return nbytes, {name: nbytes} if nbytes else {}


def _largest_alive(log):
    most, then, alive = 0, {}, {}
    for name, nbytes in log:
        alive = alive | {name: nbytes} if nbytes else {n: b for n, b in alive.items() if n != name}
        if max(alive.values(), default=0) > most:
            most, then = max(alive.values()), dict(alive)
    return most, then


def _zeros(log):
    alive, most, then = {}, 0, {}
    for name, nbytes in log:
        alive[name] = nbytes
        if sum(alive.values()) > most:
            most, then = sum(alive.values()), dict(alive)
    return most, then


def _once(log):
    dead = set()
    kept = []
    for name, nbytes in log:
        if name not in dead:
            kept.append((name, nbytes))
        if not nbytes:
            dead.add(name)
    return _peak(kept)


def _last_freed(log):
    alive, most, then = {}, 0, {}
    for name, nbytes in log:
        if nbytes:
            alive[name] = nbytes
        else:
            alive.popitem()
        if sum(alive.values()) > most:
            most, then = sum(alive.values()), dict(alive)
    return most, then


def _by_name(log):
    """Frees by what a name was given first, so a name that is used again is taken for the same tensor."""
    first, now, most, then, alive = {}, 0, 0, {}, {}
    for name, nbytes in log:
        first.setdefault(name, nbytes)
        if nbytes:
            now += nbytes
            alive[name] = nbytes
        else:
            now -= first[name]
            alive.pop(name)
        if now > most:
            most, then = now, dict(alive)
    return most, then


def _most_tensors(log):
    alive, then = {}, {}
    for name, nbytes in log:
        if nbytes:
            alive[name] = nbytes
        else:
            del alive[name]
        if len(alive) > len(then):
            then = dict(alive)
    return sum(then.values()), then


@question("08-peak", points=5, kind="code", minutes=12)
def _most_in_use():
    def cases(rng):
        yield ([("weights", 100), ("cache", 20), ("logits", 50), ("logits", 0)],)
        yield (
            [("weights", 100), ("logits", 8), ("logits", 0), ("logits", 50), ("logits", 0), ("cache", 20)],
        )
        yield ([("a", 3), ("b", 2), ("b", 0), ("c", 2), ("c", 0)],)
        yield ([],)
        for _ in range(24):
            yield (_log(rng),)

    units = "It gives MB or MiB; the question asks for bytes."
    pairs = "It gives a list of what was alive; give a dict."
    never = "It never takes back what is freed."
    largest = "It gives the largest tensor; the peak is what all together take."
    alive_later = "Its dict changes after the peak: keep a copy of it."
    return Function(
        _peak,
        cases,
        (
            Slip(never, _never_freed),
            Slip(never, _never_deleted),
            Slip("It gives what is in use at the end; the peak may have passed by then.", _at_end),
            Slip(largest, _largest),
            Slip(largest, lambda log: _largest(log) if log else max(log)),
            Slip(largest, _largest_alive),
            Slip("Its dict keeps what was freed, with 0 bytes; only what is alive counts.", _zeros),
            Slip("It takes a name that is used again for freed for good; it is another tensor.", _once),
            Slip("It frees the tensor that was made last; the log says which.", _last_freed),
            Slip("It keeps the last time of the peak; keep the first.", _last_time),
            Slip("It takes a name that is used again for the same tensor, with its first size.", _by_name),
            Slip("It looks for the most tensors; look for the most bytes.", _most_tensors),
            Slip(alive_later, lambda log: (_peak(log)[0], _at_end(log)[1])),
            Slip(
                "Its dict still holds what was freed before the peak.",
                lambda log: (_peak(log)[0], _so_far(log)),
            ),
            Slip(
                "It gives all names that occur; only what is alive at the peak counts.",
                lambda log: (_peak(log)[0], dict((name, n) for name, n in log if n)),
            ),
            Slip("It gives names alone; give each with its bytes.", then=lambda v: (v[0], list(v[1]))),
            Slip("It gives the bytes alone; give what was alive too.", then=lambda v: v[0]),
            Slip("It gives what was alive and not how much; the bytes come first.", then=lambda v: v[1]),
            Slip("It gives its two parts the other way round.", then=lambda v: (v[1], v[0])),
            Slip(
                "It leaves out the weights; they are in use all the time.",
                log=lambda a: ([event for event in a["log"] if event[0] != "weights"]),
            ),
            Slip(units, then=lambda v: (v[0] / 2**20, v[1])),
            Slip(units, then=lambda v: (v[0] / 1e6, v[1])),
            Slip(pairs, then=lambda v: (v[0], sorted(v[1].items()))),
            Slip(pairs, then=lambda v: (v[0], list(v[1].items()))),
            Slip(
                "It names the largest alone; give all that were alive.",
                then=lambda v: (v[0], max(v[1], key=v[1].get, default=None)),
            ),
            Slip(
                "Its dict is right, but its bytes add up all that was ever made.",
                lambda log: (sum(nbytes for _, nbytes in log), _peak(log)[1]),
            ),
            Slip("It looks only when something is freed; what is never freed counts too.", _only_at_frees),
        ),
        where={
            "It is wrong only where a name is used again.": lambda log: (
                len({name for name, n in log if n}) < sum(1 for _, n in log if n)
            ),
            "It is wrong only for an empty log.": lambda log: not log,
            "It is wrong only where something is freed.": lambda log: any(n == 0 for _, n in log),
        },
        idea="Go through the log line by line and note after each what is alive.",
    )


def _so_far(log):
    """What had ever been alive by the time of the peak."""
    most, then = _peak(log)
    alive, seen = {}, {}
    for name, nbytes in log:
        if nbytes:
            alive[name] = seen[name] = nbytes
        else:
            del alive[name]
        if sum(alive.values()) == most and alive == then:
            return seen
    return {}


def _only_at_frees(log):
    alive, most, then = {}, 0, {}
    for name, nbytes in log:
        if nbytes:
            alive[name] = nbytes
            continue
        if sum(alive.values()) > most:
            most, then = sum(alive.values()), dict(alive)
        del alive[name]
    return most, then


def _log(rng):
    """Tensors made and freed, weights first; a name may be used again once it is free."""
    names = ["cache", "q", "scores", "logits", "mask"]
    log, alive = [("weights", rng.randint(50, 200))], []
    for _ in range(rng.randint(4, 12)):
        if alive and rng.random() < 0.45:
            name = alive.pop(rng.randrange(len(alive)))
            log.append((name, 0))
        elif free := [name for name in names if name not in alive]:
            name = rng.choice(free)
            alive.append(name)
            log.append((name, rng.randint(1, 150)))
    return log
