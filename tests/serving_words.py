"""What Paging says of kvlib.serving's frames, written a second time, for the page's words to be compared."""


def letter(id):
    return chr(ord("A") + id) if id < 26 else str(id)


def many(n, one):
    return f"{n} {one}{'' if n == 1 else 's'}"


def thrown_before(run, step, id):
    """When `id` was last thrown out before `step`, and the tokens to compute again; None if never."""
    for frame in reversed(run.frames[:step]):
        for one in frame.preempted:
            if one.request == id:
                return frame.step, one.tokens
    return None


def queue(run, step):
    waiting = run.frames[step].waiting if step < len(run.frames) else ()
    if not waiting:
        return "Nobody waits"
    said = []
    for id in waiting:
        thrown = thrown_before(run, step + 1, id)
        said.append(letter(id) + (f" (thrown out at step {thrown[0]})" if thrown else ""))
    return "Waiting: " + " ".join(said)


def events(run, step):
    if step >= len(run.frames):
        return f"All are done since step {len(run.frames)}."
    now = run.frames[step]
    here = {h.request: h for h in now.running}
    before = [h.request for h in run.frames[step - 1].running] if step else []
    thrown = {one.request for one in now.preempted}
    said = [
        f"{letter(id)} is done and gives its blocks back." for id in before if id not in here.keys() | thrown
    ]
    for one in now.preempted:
        itself = "It was itself admitted last: it"
        who = itself if one.request == one.by else f"{letter(one.request)}, admitted last,"
        said.append(
            f"{letter(one.by)} needs a block and none is free. {who} is thrown out, and "
            f"{many(one.tokens, 'token')} must be computed again when it returns."
        )
    for id in now.admitted:
        tokens, blocks = here[id].tokens, here[id].blocks
        shared = sum(now.refs[block] > 1 for block in blocks)
        where = f"in {many(len(blocks), 'block')}" + (f", {shared} of them shared" if shared else "")
        if lost := thrown_before(run, step, id):
            said.append(
                f"{letter(id)}, thrown out at step {lost[0]}, is back: of {many(tokens, 'token')} {where}, "
                f"{lost[1]} are computed again."
            )
        else:
            said.append(f"{letter(id)} is admitted with {many(tokens, 'token')} {where}.")
    if now.copied:
        assert len({copy.source for copy in now.copied}) == 1
        names = ", ".join(letter(copy.request) for copy in now.copied)
        one = len(now.copied) == 1
        said.append(
            f"Block {now.copied[0].source} has other owners: before {names} {'writes' if one else 'write'} "
            f"behind its {many(now.copied[0].tokens, 'token')}, they are copied to "
            f"{'block' if one else 'blocks'} {', '.join(str(c.target) for c in now.copied)} (copy-on-write)."
        )
    queued = [letter(r.id) for r in run.requests if r.arrival == step and r.id in now.waiting]
    if queued:
        arrive = "arrive and wait" if len(queued) > 1 else "arrives and waits"
        said.append(f"{', '.join(queued)} {arrive}.")
    nothing = "Every request that runs stores one token more." if now.running else "Nobody is here."
    return " ".join(said) or nothing


def status(frame, request):
    if frame is None:
        return "done"
    if request.id in frame.waiting:
        return "waits"
    return "not yet arrived" if request.arrival > frame.step else "done"


def followed(w, token):
    """The way of a token of the figure's request to its slot, on both sides."""
    said = []
    for frame, size in zip(w.frames, (None, w.block_size), strict=True):
        held = next((h for h in (frame.running if frame else ()) if h.request == w.request), None)
        if held is None:
            said.append(status(frame, w.requests[w.request]))
        elif token >= held.tokens:
            said.append("not stored yet")
        elif size is None:
            said.append(f"slot {held.start} + {token} = {held.start + token}")
        else:
            entry, offset = divmod(token, size)
            block = held.blocks[entry]
            owners = frame.refs[block]
            said.append(
                f"entry {token} // {size} = {entry} of the block table says block {block}; "
                f"offset {token} % {size} = {offset}; slot {block} × {size} + {offset} = "
                f"{block * size + offset}" + (f". {owners} tables own this block" if owners > 1 else "")
            )
    return f"Token {token} of {letter(w.request)}. Reserved: {said[0]}. Paged: {said[1]}."


def rows(w):
    """The figure's table: every request at its step."""
    left, right = w.frames
    table = []
    for r in w.requests:
        a, b = (next((h for h in (f.running if f else ()) if h.request == r.id), None) for f in (left, right))
        thrown = next((p for p in (right.preempted if right else ()) if p.request == r.id), None)
        paged = f"runs, {b.tokens} tokens" if b else status(right, r)
        if thrown:
            paged = f"thrown out, {thrown.tokens} tokens to compute again"
        blocks = [(n, right.refs[n]) for n in b.blocks] if b else []
        tables = " ".join(f"{n} (×{owners})" if owners > 1 else f"{n}" for n, owners in blocks)
        table.append(
            [
                letter(r.id),
                str(r.arrival),
                f"{r.prompt_tokens} + {r.new_tokens}",
                f"runs, {a.tokens} tokens" if a else status(left, r),
                f"{a.start} to {a.start + a.size - 1}" if a else "–",
                paged,
                tables or "–",
            ]
        )
    return table
