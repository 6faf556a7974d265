"""Recurrent blocks: the state each keeps of a sequence, and its weights.

A state is what transformers 5.23 keeps: the convolution's last inputs in the model's dtype (all
positions of its kernel), the recurrent state in float32. MiniMax and Griffin differ, and say so.
"""

from dataclasses import dataclass

from .readers import State, state


@dataclass(frozen=True)
class Mamba1:
    """Mamba's first block, by the names its family gives the fields."""

    expand: str = "expand"
    states: str = "state_size"
    conv: str = "conv_kernel"
    rank: str = "time_step_rank"
    inner: str | None = None  # a field that beats expand × hidden_size where it is given

    def channels(self, f) -> int:
        if self.inner and f.given.get(self.inner) is not None:
            f.ignore(self.expand)
            return f[self.inner]
        return f[self.expand] * f.size("hidden_size")

    def state(self, f) -> State:
        inner = self.channels(f)
        return state(inner, f[self.conv], inner * f[self.states])

    def weights(self, f) -> int:
        inner, states = self.channels(f), f[self.states]
        rank = -(-f["hidden_size"] // 16) if f.get(self.rank) == "auto" else f[self.rank]
        per_channel = f[self.conv] + 3 * states + 2 * rank + 3
        return inner * (3 * f["hidden_size"] + per_channel)


@dataclass(frozen=True)
class Mamba2:
    """Mamba 2's block, by the names its family gives the fields."""

    n_heads: str = "mamba_n_heads"
    head_dim: str | None = "mamba_d_head"  # None: always the channels over the heads
    groups: str = "mamba_n_groups"
    states: str = "mamba_d_state"
    conv: str = "mamba_d_conv"
    expand: str | None = "mamba_expand"  # None: the channels are heads × head_dim
    inner: str | None = None  # a field that beats expand × hidden_size where it is not null
    named: str | None = None  # the field that names the state's dtype

    def shape(self, f) -> tuple[int, int]:
        """Heads, and channels of each."""
        n_heads = f[self.n_heads]
        if self.expand is None:
            return n_heads, f[self.head_dim]
        inner = self.inner and f.nullable(self.inner)
        inner = inner or f[self.expand] * f.size("hidden_size")
        if self.head_dim and f.get(self.head_dim) != "auto":
            head_dim = f[self.head_dim]
        else:
            head_dim = max(1, inner // n_heads)
        if n_heads * head_dim != inner:
            f.disagree(self.n_heads, f"these heads and their width must make up {inner} channels")
        return n_heads, head_dim

    def state(self, f) -> State:
        """The convolution sees the channels and each group's two projections of the state."""
        n_heads, head_dim = self.shape(f)
        inner, states = n_heads * head_dim, f[self.states]
        named = f.choice(self.named, ("float32", None)) if self.named else None
        groups = (f[self.groups], 2 * states)
        return state(inner + groups[0] * groups[1], f[self.conv], inner * states, named, groups)

    def weights(self, f) -> int:
        n_heads, head_dim = self.shape(f)
        inner, groups = n_heads * head_dim, f[self.groups] * f[self.states]
        through_conv = (inner + 2 * groups) * (f[self.conv] + 1)
        return f["hidden_size"] * (3 * inner + 2 * groups + n_heads) + through_conv + inner
