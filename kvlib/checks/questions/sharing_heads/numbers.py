"""Questions of chapter 04, sharing heads: its kinds, its numbers, its history."""

from ...answers import Choice, Each, Number, Slip
from ..common import BITS, FORMULA_SLIPS, HALF, QUERY_HEADS, formula, question

FORMULA = {name: FORMULA_SLIPS[name] for name in ("layers", "half", "bits", "fp32")}
ONE_HEAD = "You count one head: each KV head keeps keys and values."


@question("04-kinds", points=3, kind="recall", minutes=2)
def _kinds():
    said = {
        "MHA": "In MHA each query head has a KV head of its own: the two counts are equal.",
        "GQA": "In GQA there are fewer KV heads than query heads, and more than one.",
        "MQA": "In MQA all query heads share a single KV head.",
    }
    also = {
        "multi-head": "MHA", "multi-head attention": "MHA", "grouped-query": "GQA", "grouped query": "GQA",
        "grouped-query attention": "GQA", "multi-query": "MQA", "multi-query attention": "MQA",
    }  # fmt: skip
    right = {"A": "MHA", "B": "GQA", "C": "MQA"}
    return Each(
        {
            model: Choice(kind, {k: s for k, s in said.items() if k != kind}, also)
            for model, kind in right.items()
        }
    )


@question(
    "04-factor", points=2, kind="by hand", minutes=2, drawn={"heads": (96, 144, 192), "kv_heads": (6, 8, 12)}
)
def _factor(heads=128, kv_heads=8):
    return Number(
        lambda heads, kv_heads: heads / kv_heads,
        {"heads": heads, "kv_heads": kv_heads},
        (
            Slip("You turn it round: how many times smaller is the shared cache?", then=lambda v: 1 / v),
            Slip("You subtract; the cache shrinks by a ratio.", lambda heads, kv_heads: heads - kv_heads),
            Slip(
                "You count the 2 for keys and values again; it is on both sides and cancels.",
                then=lambda v: 2 * v,
            ),
            Slip("That is the number of query heads; sharing among all would be MQA.", heads),
            Slip("That is the number of KV heads. How many query heads share each?", kv_heads),
            Slip("That is the low end of the claim, which was said of other models.", 4),
            Slip("You give the share that is saved, in per cent.", then=lambda v: 100 - 100 / v),
            Slip("You give the share that is left, in per cent.", then=lambda v: 100 / v),
            Slip("That is the middle of the claim, which was said of other models.", 6),
            Slip("You add 1: the KV heads are among what is compared already.", then=lambda v: v + 1),
            Slip(
                "You count the queries too; they are not kept.",
                lambda heads, kv_heads: 3 * heads / (heads + 2 * kv_heads),
            ),
            Slip("You give the share that is saved, as a fraction.", then=lambda v: 1 - 1 / v),
        ),
        tol=0.005,
        idea="How many query heads share one KV head?",
    )


@question(
    "04-head-dim",
    points=2,
    kind="config",
    minutes=4,
    drawn={
        "layers": (32, 36, 48),
        "heads": (24, 32, 40),
        "kv_heads": (4, 8),
        "head_dim": (96, 128, 192),
        "hidden": (3840, 5760, 7680),
    },
)
def _head_dim(layers=40, heads=32, kv_heads=8, head_dim=128, hidden=5120):
    return Number(
        lambda layers, heads, kv_heads, head_dim, hidden: formula(layers, 1, kv_heads, 1, head_dim),
        dict(layers=layers, heads=heads, kv_heads=kv_heads, head_dim=head_dim, hidden=hidden),
        (
            *FORMULA.values(),
            Slip(QUERY_HEADS, kv_heads=heads),
            Slip(
                "You divide hidden_size by the query heads; this config names its head_dim.",
                head_dim=hidden // heads,
            ),
            Slip("You take hidden_size for head_dim.", head_dim=hidden),
            # However the heads come to all of hidden_size together, the number is the same.
            Slip(
                "You divide hidden_size by the KV heads. Or: You take it for all that the KV heads keep of a"
                " token: the config names both of their numbers.",
                head_dim=hidden // kv_heads,
            ),
            Slip("You leave head_dim out: a key has that many numbers.", head_dim=1),
            Slip("You divide head_dim by the heads; it is the width of one.", head_dim=head_dim // heads),
            Slip(ONE_HEAD, kv_heads=1),
        ),
        unit="KiB",
        idea="Which fields of the config does the formula need?",
    )


SMALL = {"Llama 3.2 3B": (24, 28, 8), "Qwen 2.5 3B": (16, 36, 2)}  # query heads, layers, KV heads


@question("04-three-b", points=3, kind="audit", minutes=6, drawn={"tokens": (3072, 5120, 6144, 12288)})
def _three_b(tokens=4096):
    claim = formula(32, 1, 8, tokens, 128)
    parts = {}
    for name, (heads, layers, kv_heads) in SMALL.items():
        slips = [
            FORMULA_SLIPS["layers"],
            FORMULA_SLIPS["fp32"],
            Slip(
                "That is the claim's figure, which belongs to a larger model. Use this one's numbers.", claim
            ),
            Slip(
                "You give the KiB of one token; the question asks for the MiB of all.",
                then=lambda v: v / tokens * 1024,
            ),
        ]
        [other] = [row for row in SMALL.values() if row[1] != layers]
        slips.append(Slip("You take the other model's row.", formula(other[1], 1, other[2], tokens, 128)))
        if kv_heads == 2:  # of Qwen, one head is half of all, and eight times as many are the query heads
            slips += [
                Slip("You take the claim's layers; this model has another number.", layers=32),
                Slip("You take the claim's KV heads; this model has another number.", kv_heads=8),
                Slip(f"{HALF.said} Or: {ONE_HEAD}", then=lambda v: v / 2),
                Slip(f"{QUERY_HEADS} Or: {BITS}", kv_heads=heads),
            ]
        else:
            slips += [HALF, FORMULA_SLIPS["bits"]]
            slips += [Slip(ONE_HEAD, kv_heads=1), Slip(QUERY_HEADS, kv_heads=heads)]
        parts[name] = Number(
            lambda layers, kv_heads, tokens: formula(layers, 1, kv_heads, tokens, 128),
            {"layers": layers, "kv_heads": kv_heads, "tokens": tokens},
            tuple(slips),
            unit="MiB",
            idea="Fill the formula from the row.",
        )
    parts["claim over Qwen"] = Number(
        lambda claim, qwen: claim / qwen,
        {"claim": claim, "qwen": formula(36, 1, 2, tokens, 128)},
        (
            Slip("You turn it round: the claim is the larger of the two.", then=lambda v: 1 / v),
            Slip("That is the claim over Llama 3.2 3B.", qwen=formula(28, 1, 8, tokens, 128)),
            Slip("You compare the KV heads alone; Qwen 2.5 3B also has another number of layers.", 4),
            Slip("You compare the layers alone; the two also differ in KV heads.", 32 / 36),
            Slip("You take the claim's geometry for Qwen 2.5 3B, too.", 1),
            Slip("That is Llama 3.2 3B over Qwen.", claim=formula(28, 1, 8, tokens, 128)),
            Slip(
                "You give by how much the claim is larger, in times of Qwen. How many times as large is it?",
                then=lambda v: v - 1,
            ),
            Slip("You answer in per cent; ask how many times as large it is.", then=lambda v: 100 * v),
            Slip(
                "You give the MiB that the claim keeps. How many times those of Qwen are they?",
                lambda claim, qwen: claim / 2**20,
            ),
            Slip(
                "You count the claim's 32 query heads: only the KV heads keep anything.", then=lambda v: 4 * v
            ),
            Slip(
                "You subtract; ask how many times as large it is.", lambda claim, qwen: (claim - qwen) / 2**20
            ),
            Slip(
                "You count keys and values of the claim, but only one of them of Qwen.", then=lambda v: 2 * v
            ),
            Slip(
                f"You count keys and values of Qwen, but only one of them of the claim. Or: {QUERY_HEADS}",
                then=lambda v: v / 2,
            ),
        ),
        idea="Both keep as many bytes a number, for as many tokens: what differs?",
    )
    return Each(parts)


@question(
    "04-stored",
    points=3,
    kind="predict",
    minutes=6,
    drawn={
        "layers": (32, 40, 48),
        "heads": (24, 28, 40),
        "kv_heads": (4, 8),
        "tokens": (4096, 6144, 10240),
        "head_dim": (96, 128),
    },
)
def _stored(layers=40, heads=24, kv_heads=4, tokens=4096, head_dim=128):
    def part(counted, other, said):
        numbers = dict(layers=layers, batch=1, kv_heads=counted, tokens=tokens, head_dim=head_dim)
        slips = (*FORMULA.values(), Slip(said, kv_heads=other))
        slips += (Slip(ONE_HEAD, kv_heads=1), FORMULA_SLIPS["tokens"])
        if counted == kv_heads:
            slips += (
                Slip("You give how many times as large it is; GiB are asked for.", heads / kv_heads * 2**30),
                Slip("You give what is kept in excess. What is needed?", kv_heads=heads - kv_heads),
                Slip("You add what is needed to the copies; it is among them.", kv_heads=heads + kv_heads),
                Slip(
                    "You divide by the KV heads; they are not what the copies are made for.",
                    then=lambda v: v * heads / kv_heads**2,
                ),
            )
        return Number(formula, numbers, slips, unit="GiB", idea="Multiply the shape out, for every layer.")

    return Each(
        {
            "kept": part(
                heads, kv_heads, "That is what has to be kept; multiply out the shape that is kept."
            ),
            "needed": part(
                kv_heads, heads, "You count the heads of the shape, or the query heads; the KV heads suffice."
            ),
            "why": Choice(
                "b",
                {
                    "a": "In fp32 the shape would be the same; look at its second number.",
                    "c": "All heads are as wide as the config says; look at the shape's second number.",
                    "d": "Queries are not kept: these are keys and values. How many heads do they have?",
                    "e": "Grouped-query attention does shrink the cache, where only its KV heads are kept.",
                },
            ),
        }
    )


@question("04-history", points=1, kind="recall", minutes=1)
def _history():
    return Choice(
        "c",
        {
            "a": "With MHA there would be 64 KV heads.",
            "b": "The paper of 2019 let all query heads share one single KV head.",
            "d": "Paging came in 2023 too, but it says where blocks lie, not how many heads keep them.",
        },
        also={"grouped-query attention": "c", "GQA": "c", "multi-query attention": "b", "MQA": "b",
              "multi-head attention": "a", "MHA": "a", "PagedAttention": "d"},
    )  # fmt: skip
