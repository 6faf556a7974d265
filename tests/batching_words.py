"""What Batching says and draws of kvlib.serving's Timelines, written a second time, to be compared."""

from kvlib import fmt_seconds


def letters(places):
    names = [chr(ord("A") + place) for place in places]
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def at(run, ms):
    """(the number of the last step that began before `ms`, that step or None where it has ended)."""
    began = [i for i, step in enumerate(run.steps) if 1000 * step.at < ms]
    if not began or ms > 1000 * (run.steps[began[-1]].at + run.steps[began[-1]].seconds):
        return len(began) - 1, None
    return began[-1], run.steps[began[-1]]


def spans(run):
    """request -> the numbers of the first and of the last step that it was inside."""
    inside = {place: [] for place in range(len(run.served))}
    for i, step in enumerate(run.steps):
        for place, _ in step.inside:
            inside[place].append(i)
    return {place: (steps[0], steps[-1]) for place, steps in inside.items()}


def outside(run, ms):
    """Who has arrived and is not yet inside."""
    i, _ = at(run, ms)
    first = {place: span[0] for place, span in spans(run).items()}
    return [p for p, s in enumerate(run.served) if 1000 * s.request.at <= ms and first[p] > i]


def said(run, ms):
    i, step = at(run, ms)
    requests, span = [s.request for s in run.served], spans(run)
    if step is None:
        coming = [(p, r) for p, r in enumerate(requests) if 1000 * r.at > ms]
        if coming:
            place, request = coming[0]
            return f"Nobody is inside. {letters([place])} comes at {fmt_seconds(request.at)}."
        return f"All are done after {fmt_seconds(run.steps[-1].at + run.steps[-1].seconds)}."
    held = dict(step.inside)
    work = []
    if step.decoding:
        work.append(f"a token{' each' if len(step.decoding) > 1 else ''} for {letters(step.decoding)}")
    for place, n in step.prompts:
        whole, tokens = requests[place].prompt, f"{n:,} token{'' if n == 1 else 's'}"
        if n == whole:
            work.append(f"the prompt of {letters([place])}, {tokens}")
        else:
            done = min(whole, held[place])
            work.append(f"{tokens} of the prompt of {letters([place])}, {done:,} of {whole:,} are then there")
    text = (
        f"Step {i + 1} of {len(run.steps)}: {fmt_seconds(step.reading)} of reading, "
        f"{fmt_seconds(step.computing)} of arithmetic; it lasts the longer of the two. "
        f"It computes {'; '.join(work)}."
    )
    busy = {p for p, _ in step.prompts} | {*step.decoding}
    paused = [p for p, n in step.inside if p not in busy and n >= requests[p].prompt]
    later = [p for p, n in step.inside if p not in busy and n < requests[p].prompt]
    batch = span[step.inside[0][0]][0]
    gone = [p for p in span if run.policy == "static" and span[p][0] == batch and span[p][1] < i]
    for who, one, several in (
        (paused, "{} pauses in its answer.", "{} pause in their answers."),
        (later, "The prompt of {} must wait.", "The prompts of {} must wait."),
        (gone, "{} is done, and its place stays empty.", "{} are done, and their places stay empty."),
        (outside(run, ms), "{} waits outside.", "{} wait outside."),
    ):
        if who:
            text += " " + (several if len(who) > 1 else one).format(letters(who))
    return text


def state(run, place, ms):
    i, step = at(run, ms)
    request, held = run.served[place].request, dict(step.inside).get(place) if step else None
    if held is None:
        if spans(run)[place][0] <= i:
            return "done"
        return "waits outside" if 1000 * request.at <= ms else "not yet there"
    if held < request.prompt:
        return f"prompt, {held:,} of {request.prompt:,} done"
    return f"answer, {held - request.prompt + 1} of {request.new}"


def pieces(run):
    """(kind, request, from, to) of each mark, in seconds: one a step that computes, one a wait."""
    made, span = [], spans(run)
    ends = [step.at + step.seconds for step in run.steps]
    for place, (first, last) in span.items():
        served = run.served[place]
        begun: tuple | None = ("waits", served.request.at)  # (kind, since) of what goes on
        for i in range(first, last + 1):
            step = run.steps[i]
            kind = "prefill" if place in dict(step.prompts) else "decode" if place in step.decoding else None
            if kind:
                if begun:
                    made.append((begun[0], place, begun[1], step.at))
                begun = None
                made.append((kind, place, step.at, ends[i]))
            elif begun is None:
                begun = ("pause" if served.times[0] <= step.at else "waits", step.at)
        batch = max(end for other, (begins, end) in span.items() if begins == first)
        if run.policy == "static" and batch > last:
            made.append(("empty", place, ends[last], ends[batch]))
    return [piece for piece in made if piece[3] > piece[2]]
