"""Every variant of the GPU's kernels, compiled for GPUs that are not here: `python -m tests.compiled`.

Triton compiles for any NVIDIA GPU on any Linux machine. The kernels are called here as a decoder calls
them, on tensors of the meta device; a call then compiles its kernel in place of launching it.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from kvlib.cache import make_cache
from kvlib.kernels.cuda import views
from kvlib.layouts import CacheLayout
from kvlib.measure.progress import table

CUOBJDUMP = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
ARCHITECTURES = 75, 80, 89, 90
CACHES = {
    "contiguous": ("contiguous", {}),
    "paged": ("paged", {}),
    **{
        f"{codes}, keys by {keys}": ("quantized", dict(codes=codes, keys=keys))
        for codes in ("int8", "int4", "int2")
        for keys in ("token", "channel")
    },
}
# H, H_kv, D: G = 4, 1, 3, 8 and 71 (Falcon 7B), and widths that are no power of two
SHAPES = [(32, 8, 128), (32, 32, 128), (9, 3, 64), (16, 2, 256), (71, 1, 64), (8, 4, 96)]
TYPES = {
    torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16",
    torch.uint8: "u8", torch.int64: "i64",
}  # fmt: skip


def variants(caches=CACHES, shapes=SHAPES, dtypes=("fp32", "fp16", "bf16"), architectures=ARCHITECTURES):
    """A row for each kernel that a step launches: registers, bytes spilled and of shared memory."""
    done = {}
    for arch in architectures:
        views._tensor_cores = lambda device, arch=arch: arch >= 80
        views._processors = lambda device: 40
        for cache in caches:
            for shape in shapes:
                for dtype in dtypes:
                    yield from _step(arch, cache, shape, dtype, done)


def _step(arch, name, shape, dtype, done):
    (kind, options), (H, H_kv, D) = CACHES[name], shape
    layout = CacheLayout.uniform(1, H_kv, D, n_heads=H)
    cache = make_cache(kind, layout, capacity=64, dtype=dtype, device="meta", **options)
    cache.append(1)
    found = []

    def compile_only(kernel, grid, *arguments, **constants):
        row = _compiled(kernel, arguments, constants, arch, done)
        if row:
            which = dict(arch=arch, kernel=kernel.fn.__name__, cache=name, heads=shape, dtype=dtype)
            found.append(which | row)

    views._launch = compile_only
    like = dict(dtype=cache.dtype, device="meta")
    cos = torch.empty(1, 1, 1, D, **like)
    views.token(torch.empty(1, 1, H + 2 * H_kv, D, **like), H, cos, cos, cache.view(0))
    views.rms_norm(torch.empty(1, H * D, **like), torch.empty(H * D, **like), 1e-5)
    views.silu_mul(torch.empty(1, 6 * H * D, **like))
    return found


def _compiled(kernel, arguments, constants, arch, done):
    """What a kernel takes of a GPU; None if this variant was compiled before."""
    options = {name: constants.pop(name) for name in ("num_warps", "num_stages") if name in constants}
    signature, attributes = {}, {}
    for i, (name, value) in enumerate(zip(kernel.arg_names, arguments, strict=False)):
        if value is None:
            constants[name] = None
        elif isinstance(value, torch.Tensor):
            signature[name] = f"*{TYPES[value.dtype]}"
            attributes[(i,)] = [["tt.divisibility", 16]]
        else:
            assert isinstance(value, float) or kernel.params[i].do_not_specialize, name
            signature[name] = "fp32" if isinstance(value, float) else "i32"
    signature |= dict.fromkeys(constants, "constexpr")
    signature = {name: signature[name] for name in kernel.arg_names}
    key = str((kernel.fn.__name__, signature, constants, options, arch))
    if key in done:
        return None
    source = ASTSource(kernel, signature, constants, attributes)
    compiled = triton.compile(source, target=GPUTarget("cuda", arch, 32), options=options)
    done[key] = _resources(compiled.asm["cubin"]) | {"shared": compiled.metadata.shared}
    return done[key]


def _resources(cubin):
    """Registers of a thread, and the bytes that it has spilled for want of them."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        shown = subprocess.run(
            [CUOBJDUMP, "--dump-resource-usage", file.name], capture_output=True, text=True, check=True
        ).stdout
    registers, stack, local = (
        int(re.search(rf"{name}:(\d+)", shown)[1]) for name in ("REG", "STACK", "LOCAL")
    )
    return dict(registers=registers, spilled=stack + local)


def most_of_each(rows):
    """For each GPU, dtype and kernel the most that any variant takes; and the columns of that table."""
    most = {}
    for row in rows:
        key = row["arch"], row["dtype"], row["kernel"]
        most[key] = [max(pair) for pair in zip(most.get(key, (0, 0, 0)), _taken(row), strict=True)]
    names = "GPU", "dtype", "kernel", "registers", "bytes spilled", "bytes shared"
    columns = {name: lambda row, i=i: row[i] for i, name in enumerate(names)}
    return [(f"sm_{arch}", *key, *taken) for (arch, *key), taken in sorted(most.items())], columns


def _taken(row):
    return row["registers"], row["spilled"], row["shared"]


if __name__ == "__main__":
    if len(sys.argv) > 1:  # some of them, a line of JSON each
        for row in variants(**json.loads(sys.argv[1])):
            print(json.dumps(row), flush=True)
    else:
        print(table(*most_of_each(variants())))
