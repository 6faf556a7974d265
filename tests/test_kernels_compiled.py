"""The GPU's kernels, compiled for GPUs that are not here: nothing spills, and shared memory is small.

The interpreter that tests/test_kernels_cuda.py uses lets much pass that a compiler does not.
"""

import json
import os
import subprocess
import sys

import pytest

from kvlib.measure.progress import table

from .compiled import most_of_each

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no Triton for this system")
# Every cache and dtype for each GPU in one shape; the other shapes for the oldest and the newest alone.
WANTED = [
    dict(shapes=[(32, 8, 128)]),
    dict(
        shapes=[(32, 32, 128), (9, 3, 64), (16, 2, 256), (71, 1, 64), (8, 4, 96)],
        caches=["paged", "int4, keys by token", "int2, keys by channel"],
        dtypes=["fp32", "fp16"], architectures=[75, 90],
    ),
]  # fmt: skip


@pytest.mark.parametrize("wanted", WANTED, ids=["one shape", "other shapes"])
def test_nothing_spills_and_shared_memory_is_small(wanted, capsys):
    """In a process of its own: this one has the interpreter in place of the compiler."""
    apart = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    made = subprocess.run(
        [sys.executable, "-m", "tests.compiled", json.dumps(wanted)],
        env=apart,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    rows = [json.loads(line) for line in made.stdout.splitlines()]
    assert {row["kernel"] for row in rows} == {"store", "decode", "merge", "norm", "gate"}
    assert {row["arch"] for row in rows} == set(wanted.get("architectures", (75, 80, 89, 90)))
    for row in rows:
        most = 64 if row["dtype"] == "fp32" else 48
        assert row["spilled"] == 0 and row["shared"] <= most * 1024, row
    with capsys.disabled():
        print(f"\n{len(rows)} variants compiled\n{table(*most_of_each(rows))}")
