"""Fake tensors of a GPU for a torch without CUDA: they have a device, a dtype and a shape, and hold nothing.

What would make the host wait for a GPU raises, and so does an operation over two devices. Such a torch
refuses to index or copy a tensor of a GPU, fake or not, unless the operation itself is called; so it is here.
"""

from contextlib import contextmanager

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

aten = torch.ops.aten


def _get(x, key):
    key = key if isinstance(key, tuple) else (key,)
    tensors, dim = [], 0
    for i, part in enumerate(key):
        if part is None:
            x = aten.unsqueeze(x, dim)
        elif isinstance(part, slice):
            x = aten.slice.Tensor(x, dim, part.start, part.stop, part.step or 1)
        elif isinstance(part, int):
            x, dim = aten.select.int(x, dim, part), dim - 1
        elif part is Ellipsis:
            dim = x.dim() - sum(later is not None for later in key[i + 1 :]) - 1
        else:
            tensors += [None] * (dim - len(tensors)) + [part]
        dim += 1
    return aten.index.Tensor(x, tensors) if tensors else x


def _copy(x, source, non_blocking=False):
    if x.device.type == "cuda" and source.device.type == "cpu" and not non_blocking:
        raise AssertionError("a copy from the host that waits for the GPU")
    return aten.copy_(x, source, non_blocking)


def _to(x, *args, **kwargs):
    args = [*args, *kwargs.values()]
    dtype = next((a for a in args if isinstance(a, torch.dtype)), x.dtype)
    device = next((torch.device(a) for a in args if isinstance(a, (str, torch.device))), x.device)
    return aten._to_copy(x, dtype=dtype, device=device)


def _contiguous(x):
    return x if x.is_contiguous() else aten.clone(x, memory_format=torch.contiguous_format)


@contextmanager
def fake_gpu(monkeypatch):
    with FakeTensorMode(allow_non_fake_inputs=False), monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, "__getitem__", _get)
        patch.setattr(torch.Tensor, "__setitem__", lambda x, key, value: aten.copy_(_get(x, key), value))
        patch.setattr(torch.Tensor, "copy_", _copy)
        patch.setattr(torch.Tensor, "to", _to)
        patch.setattr(torch.Tensor, "contiguous", _contiguous)
        yield
