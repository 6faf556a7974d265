"""Latency, requests in flight, and what each rank of a model keeps."""

from ....units import GiB, KiB, MiB
from ...answers import Each, Number, Slip
from ..common import HALF, ONE_LAYER, question

HALVES = "Keys and values both take room: half of it is missing."


@question(
    "10-latency",
    points=4,
    kind="by hand",
    minutes=8,
    drawn=dict(
        wait=(0.2, 0.3, 0.4),
        prefill=(0.5, 0.6, 0.8, 0.9),
        rest=(1.2, 1.5, 1.8, 2.1),
        tokens=(13, 16, 19, 21, 25),
        rate=(150, 210, 270, 330),
    ),
)
def _latency(wait=0.3, prefill=0.5, rest=1.2, tokens=21, rate=210):
    prompt, token = 300, 128 * KiB
    each = (prompt + tokens) * token

    def caches(per_second, held, each):
        return per_second * held * each

    return Each(
        {
            "TTFT": Number(
                lambda wait, prefill, rest: wait + prefill + rest,
                dict(wait=wait, prefill=prefill, rest=0),
                (
                    Slip("You leave out the wait; the user's clock runs from the arrival.", wait=0),
                    Slip("You leave out the prefill; the first token comes out of it.", prefill=0),
                    Slip("That is the time to the last token.", rest=rest),
                    Slip(
                        "You add a decode step; the prefill gives the first token.", rest=rest / (tokens - 1)
                    ),
                ),
                unit="s",
                idea="What happens between the arrival and the first token?",
            ),
            "TPOT": Number(
                lambda time, steps: 1000 * time / steps,
                dict(time=rest, steps=tokens - 1),
                (
                    Slip(
                        "The first token is out already: there is one step fewer than tokens.", steps=tokens
                    ),
                    Slip("You add a step; between n tokens lie fewer than n steps.", steps=tokens + 1),
                    Slip("You count the time before the first token too.", time=wait + prefill + rest),
                    Slip("You count the prefill too, which belongs to the first token.", time=prefill + rest),
                    Slip("That is all the time after the first token; how many steps are in it?", steps=1),
                    Slip("You turn it round: that is tokens in a second.", lambda time, steps: steps / time),
                ),
                unit="ms",
                idea="The time from the first to the last token, divided by the steps in it.",
            ),
            "in the system": Number(
                lambda per_second, time: per_second * time,
                dict(per_second=rate / 60, time=wait + prefill + rest),
                (
                    Slip("The rate is for a minute, and the times are in seconds.", per_second=rate),
                    Slip("Those that wait are in the system too.", time=prefill + rest),
                    Slip("You stop at the first token; a request stays until its last.", time=wait + prefill),
                    Slip(
                        "You divide by an hour's seconds; the rate is for a minute.", per_second=rate / 3600
                    ),
                    Slip("That is what arrives; how many have arrived and not left yet?", time=1),
                    Slip("You begin at the first token; a request is there from its arrival.", time=rest),
                    Slip(
                        "You divide; Little's law multiplies rate and time.",
                        lambda per_second, time: per_second / time,
                    ),
                    Slip(
                        "You divide; Little's law multiplies rate and time.",
                        lambda per_second, time: time / per_second,
                    ),
                ),
                idea="Little's law: the rate times the time that one request stays.",
            ),
            "cache": Number(
                caches,
                dict(per_second=rate / 60, held=prefill + rest, each=each),
                (
                    Slip("Those that wait keep nothing yet.", held=wait + prefill + rest),
                    Slip("Only what decodes is counted; a prompt in prefill keeps its cache too.", held=rest),
                    Slip("The rate is for a minute, and the times are in seconds.", per_second=rate),
                    Slip("You count one request; several run at once.", lambda per_second, held, each: each),
                    Slip("You count the new tokens alone; the prompt is kept too.", each=tokens * token),
                    Slip("You count the prompt alone; the answer is kept too.", each=prompt * token),
                    Slip(
                        "You count the prompt alone, and the time of those that wait; they keep nothing yet.",
                        near=True,
                        each=prompt * token,
                        held=wait + prefill + rest,
                    ),
                    Slip(
                        f"{HALVES} Or: you let a request's cache grow; here it holds all its tokens.",
                        then=lambda v: v / 2,
                    ),
                ),
                unit="MiB",
                idea="How many requests run at once, and what does each keep?",
                follows=("in the system", lambda before: (before - rate / 60 * wait) * each / MiB),
            ),
        }
    )


@question(
    "10-ranks",
    points=3,
    kind="by hand",
    minutes=6,
    drawn=dict(layers=(28, 32, 36, 40, 48), kv_heads=(2, 4), ranks=(8, 16), room=(18, 20, 22, 26, 30)),
)
def _ranks(layers=36, kv_heads=2, ranks=8, room=30):
    head = 2 * layers * 128 * 2  # bytes of a token in one KV head
    grouped = "You divide the ranks by the heads: so many ranks keep the same head. A rank has one."
    grouped = [Slip(grouped, heads=ranks / kv_heads)] * (ranks != kv_heads**2)

    return Each(
        {
            "one rank": Number(
                lambda head, heads: head * heads,
                dict(head=head, heads=1),
                (
                    Slip(
                        "You divide by all ranks; that splits a head. A rank has a whole one, in each layer.",
                        heads=kv_heads / ranks,
                    ),
                    Slip("You leave all KV heads on each rank; it has one.", heads=kv_heads),
                    Slip("You divide one head by the ranks; it is whole on each.", heads=1 / ranks),
                    Slip("That is all ranks together; one is asked for.", heads=ranks),
                    *grouped,
                    Slip(ONE_LAYER, head=head // layers),
                    HALF,
                ),
                unit="KiB",
                idea="How many KV heads can a rank have, if there are fewer heads than ranks?",
            ),
            "all ranks": Number(
                lambda head, heads, ranks: head * heads * ranks,
                dict(head=head, heads=1, ranks=ranks),
                (
                    Slip("That is what the model has; copies of a head take room too.", ranks=kv_heads),
                    Slip("You leave all KV heads on each rank; it has one.", heads=kv_heads),
                    Slip("That is one rank; all are asked for.", ranks=1),
                    Slip(ONE_LAYER, head=head // layers),
                    HALF,
                ),
                unit="KiB",
                idea="What one rank keeps, times the ranks.",
                follows=("one rank", lambda before: before * ranks),
            ),
            "tokens": Number(
                lambda room, head, heads: room / (head * heads),
                dict(room=room * GiB, head=head, heads=1),
                (
                    Slip(
                        "You add up the room of all ranks; the token is on every one of them.",
                        room=ranks * room * GiB,
                    ),
                    Slip("You hold what all ranks keep against the room of one.", heads=ranks),
                    Slip("You hold the whole model's cache against the room of one rank.", heads=kv_heads),
                    Slip("You split a head; each rank keeps a whole one.", heads=kv_heads / ranks),
                    Slip("You take GB for GiB.", room=room * 10**9),
                    Slip(HALVES, head=head // 2),
                    Slip(ONE_LAYER, head=head // layers),
                ),
                idea="The room of one rank, divided by what it keeps of a token.",
                follows=("one rank", lambda before: room * GiB / (before * KiB)),
            ),
        }
    )
