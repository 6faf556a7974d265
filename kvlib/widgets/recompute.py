"""What each new token makes a model compute, with a cache and without."""

from ..units import whole_number
from .base import Figure, Table, Whole, constant


def counts(prompt: int, step: int) -> dict:
    """Tokens projected to K and V, and attention scores, of one head of one layer.

    At step s the model has prompt + s - 1 tokens, T. Without a cache it projects all T and scores
    every pair (T², the masked ones too). With one, step 1 does the same (prefill); every later
    step projects one token and scores it against T. Returns, for "without" and "with", the counts
    of this step and of all steps so far. Raises ValueError for a count below 1.
    """
    prompt, step = whole_number("prompt", prompt), whole_number("step", step)
    lengths = [prompt + s for s in range(step)]
    projected = {"without": lengths, "with": [prompt] + [1] * (step - 1)}
    scored = {"without": [t * t for t in lengths], "with": [prompt**2] + lengths[1:]}
    return {
        way: {
            "projections": projected[way][-1],
            "scores": scored[way][-1],
            "all_projections": sum(projected[way]),
            "all_scores": sum(scored[way]),
        }
        for way in ("without", "with")
    }


class Recompute(Figure):
    """Recompute or reuse: step through the tokens and count.

    Recompute(prompt=4, step=3): the prompt's tokens, and how many tokens have been generated.
    """

    script = "recompute.js"
    title = constant("Recompute or reuse")
    lead = constant(
        "Each step makes one token. Watch what must be computed for it, and what the cache already has."
    )

    prompt = Whole(4, most=12)
    step = Whole(3, most=20)

    @property
    def counts(self) -> dict:
        return counts(self.prompt, self.step)

    def table(self) -> Table:
        now = self.counts
        names = {
            "projections": "projections, this step",
            "all_projections": "projections, all steps",
            "scores": "scores, this step",
            "all_scores": "scores, all steps",
        }
        rows = [[name, f"{now['without'][key]:,}", f"{now['with'][key]:,}"] for key, name in names.items()]
        return Table(
            f"A prompt of {self.prompt} tokens, {self.step} generated; one head of one layer",
            ["computed", "without a cache", "with a cache"],
            rows,
        )
