"""Attention against its definition, and that it never expands keys and values."""

import pytest
import torch
from hypothesis import given, settings, strategies as st

from kvlib import attention as module
from kvlib.attention import ContiguousView

from . import reference


def attention(q, k, v, *seen, **more):
    """Over keys and values in the order of their tokens."""
    return module.attention(q, ContiguousView.of(k, v, *seen, **more))


def draw(B, H, H_kv, T, S, D, seed=0):
    torch.manual_seed(seed)
    return torch.randn(B, H, T, D), torch.randn(B, H_kv, S, D), torch.randn(B, H_kv, S, D)


@settings(max_examples=60, deadline=None)
@given(
    groups=st.integers(1, 4), H_kv=st.integers(1, 3), S=st.integers(1, 24), data=st.data(),
    window=st.none() | st.integers(1, 26), sinks=st.integers(0, 5), seed=st.integers(0, 9),
)  # fmt: skip
def test_the_last_tokens_of_a_sequence(groups, H_kv, S, data, window, sinks, seed):
    T = data.draw(st.integers(1, S))
    q, k, v = draw(2, groups * H_kv, H_kv, S, S, 8, seed)
    expected = reference.batch(q, k, v, window, sinks)[:, :, -T:]
    torch.testing.assert_close(
        attention(q[:, :, -T:], k, v, window, sinks).double(), expected, atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("window, sinks", [(None, 0), (7, 0), (7, 2)])
def test_a_prefill_longer_than_a_block_of_queries(monkeypatch, window, sinks):
    monkeypatch.setattr(module, "QUERY_BLOCK", 8)
    q, k, v = draw(2, 4, 2, 30, 30, 8)
    expected = reference.batch(q, k, v, window, sinks)
    torch.testing.assert_close(attention(q, k, v, window, sinks).double(), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("T", [1, 4])
def test_padding_in_front_is_never_read(window, T):
    q, k, v = draw(2, 4, 2, 10, 10, 8)
    pad = torch.tensor([0, 5])
    out = attention(q[:, :, -T:], k, v, window, pad=pad)
    k[1, :, :5], v[1, :, :5] = 1e6, 1e6  # an answer that read them would show it
    torch.testing.assert_close(attention(q[:, :, -T:], k, v, window, pad=pad), out)
    for b, n in enumerate(pad.tolist()):
        expected = reference.attend(q[b, :, n:], k[b, :, n:], v[b, :, n:], window)[:, -T:]
        torch.testing.assert_close(out[b].double(), expected, atol=1e-5, rtol=1e-5)


def test_a_window_as_long_as_the_context_is_no_window():
    q, k, v = draw(1, 4, 2, 12, 12, 8)
    assert torch.equal(attention(q, k, v, window=12), attention(q, k, v))


@pytest.mark.parametrize("T, window", [(1, None), (1, 5), (3, None), (3, 5)])
def test_keys_and_values_are_never_copied_or_expanded_for_grouped_heads(T, window):
    """Nothing as large as the expanded keys is made: 8 query heads read 2 KV heads."""
    made = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            made.extend(t for t in torch.utils._pytree.tree_leaves(out) if isinstance(t, torch.Tensor))
            return out

    q, k, v = draw(2, 8, 2, T, 200, 64)
    memory = k.untyped_storage().data_ptr(), v.untyped_storage().data_ptr()
    with Watch():
        attention(q, k, v, window)
    own = [t for t in made if t.untyped_storage().data_ptr() not in memory]
    assert own and max(t.untyped_storage().nbytes() for t in own) < k.nbytes / 2


@pytest.mark.parametrize(
    "q, k, message",
    [((1, 4, 1, 8), (1, 3, 5, 8), "divisible"), ((1, 4, 1, 8), (2, 2, 5, 8), "B=1"),
     ((1, 4, 1, 8), (1, 2, 5, 6), "D=8"), ((1, 4, 3, 8), (1, 2, 2, 8), "3 new tokens")],
)  # fmt: skip
def test_shapes_that_do_not_fit_are_refused(q, k, message):
    with pytest.raises(ValueError, match=message):
        attention(torch.zeros(q), torch.zeros(k), torch.zeros(k))
