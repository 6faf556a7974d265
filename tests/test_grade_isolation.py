"""What an answer's process can see, take and leave behind, for every way that this machine allows.

Where it allows no namespaces, the tests of them are not run, and that the weaker way is called weaker is.
"""

import os
import sys
import time
from dataclasses import replace

import pytest

from kvlib.checks.grading import isolation
from kvlib.checks.grading.process import Ended, Limits, Process, Refused
from kvlib.checks.grading.staging import staged

MANY = 60.0


@pytest.fixture(scope="module")
def stage():
    with staged() as stage:
        yield stage


@pytest.fixture(scope="module")
def allowed(stage):
    """The ways that this machine allows."""
    found = set()
    for way in isolation.WAYS:
        try:
            Process(stage, way, Limits()).close()
            found.add(way)
        except Refused:
            pass
    return found


@pytest.fixture
def inside(stage, allowed):
    """inside(way, code): the value of `out` after `code` in a process of that way, or its error's class."""
    started = []

    def run(way, code):
        if way not in allowed:
            pytest.skip(f"this machine refuses {way}; test_what_is_weaker_is_said holds what it then says")
        process = Process(stage, way, Limits(MANY))
        started.append(process)
        body = "\n".join("    " + line for line in code.split("\n"))
        source = f"try:\n{body}\nexcept BaseException as error:\n    out = type(error).__name__"
        assert process.ask({"cell": source, "name": "test", "seconds": MANY}, MANY)["how"] == "gives"
        return process.ask({"value": "out"}, MANY)["value"]

    yield run
    for process in started:
        process.close()


SHUT_IN = ["namespaces", "landlock"]


def test_what_is_weaker_is_said(stage, allowed):
    """The strongest way that is allowed is taken, and each weaker one says more of what it does not do."""
    found = isolation.strongest(stage)
    assert found.way == next(way for way in isolation.WAYS if way in allowed)
    assert [way for way, why in found.refused if why] == list(
        isolation.WAYS[: isolation.WAYS.index(found.way)]
    )
    texts = {way: isolation.Isolation(way, ()).text() for way in isolation.WAYS}
    assert "no network" in texts["namespaces"] and "read every file" not in texts["namespaces"]
    assert "reach the network" in texts["landlock"] and "read every file" not in texts["landlock"]
    assert "read every file" in texts["process"] and "container" in texts["process"]
    assert all(isolation.SHORT[way] for way in isolation.WAYS)


def test_a_way_that_is_refused_gives_way_to_the_next(stage, monkeypatch):
    refused = []

    class Refusing(Process):
        def __init__(self, stage, way, limits):
            if way != "process":
                refused.append(way)
                raise Refused("unshare: Operation not permitted")
            super().__init__(stage, way, limits)

    monkeypatch.setattr(isolation, "Process", Refusing)
    found = isolation.strongest(stage)
    assert found.way == "process"
    if sys.platform == "linux":
        assert refused == SHUT_IN and "namespaces refused: unshare: Operation not permitted" in found.text()


@pytest.mark.parametrize("way", isolation.WAYS)
def test_an_answer_finds_kvlib_and_no_questions(inside, way):
    assert inside(way, "import kvlib\nout = kvlib.layout('gpt2').bytes_per_token()") == 36_864
    assert inside(way, "from kvlib.checks.questions import QUESTIONS\nout = len(QUESTIONS)") == 0
    assert inside(way, "import kvlib.checks.questions.paging\nout = 1") == "ModuleNotFoundError"
    assert inside(way, "import kvlib.checks.grading.marking\nout = 1") == "ModuleNotFoundError"
    assert inside(way, "import numpy\nout = int(numpy.ones(3).sum())") == 3
    assert inside(way, "from kvlib.measure.records import names\nout = len(names()) > 0") is True


@pytest.mark.parametrize("way", isolation.WAYS)
def test_the_environment_and_the_descriptors_are_its_own(inside, way, monkeypatch):
    monkeypatch.setenv("KVLIB_SECRET", "seen")
    monkeypatch.setenv("PYTHONPATH", "/seen")
    assert inside(way, "import os\nout = [n for n in os.environ if 'KVLIB' in n or 'PYTHON' in n]") == []
    listed = inside(
        way, "import os\nout = len([n for n in range(3, 64) if os.path.exists(f'/proc/self/fd/{n}')])"
    )
    assert listed <= 4 or sys.platform != "linux"  # the two pipes, and what listing opens


@pytest.mark.parametrize("way", SHUT_IN)
def test_files_are_out_of_sight(inside, way, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("gradebook.db", "other.ipynb"):
        (tmp_path / name).write_text("precious")
        assert inside(way, f"out = open({str(tmp_path / name)!r}).read()") in (
            "FileNotFoundError",
            "PermissionError",
        )
        assert inside(way, f"out = open({str(tmp_path / name)!r}, 'w').write('x')") != 1
        assert inside(way, f"import os\nout = os.remove({str(tmp_path / name)!r})") != []
        assert (tmp_path / name).read_text() == "precious"
    repository = str(isolation.__file__).split("kvlib/checks")[0]
    for name in (
        "solutions/02-the-formula.ipynb",
        "kvlib/checks/questions/__init__.py",
        ".git/HEAD",
        "README.md",
    ):
        said = inside(way, f"out = open({repository + name!r}).read()")
        assert said in ("FileNotFoundError", "PermissionError", "NotADirectoryError"), name


@pytest.mark.parametrize("way", SHUT_IN)
def test_what_is_hidden_in_a_folder_that_is_shown_cannot_be_read(stage, allowed, way, tmp_path):
    """As an installed kvlib lies among the packages."""
    if way not in allowed:
        pytest.skip(f"this machine refuses {way}")
    tmp_path.chmod(0o755)
    for name in ("near/shown", "near/hidden/deep", "shown"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    shown = replace(stage, visible=(*stage.visible, str(tmp_path)), hidden=(str(tmp_path / "near/hidden"),))
    process = Process(shown, way, Limits(MANY))
    source = """
def read(name):
    try:
        return open(name).read()
    except OSError as error:
        return "refused"
"""
    names = [str(tmp_path / name) for name in ("near/shown", "near/hidden/deep", "shown")]
    process.ask({"cell": f"{source}out = [read(n) for n in {names!r}]", "name": "t", "seconds": MANY}, MANY)
    said = process.ask({"value": "out"}, MANY)["value"]
    process.close()
    assert said == ["text", "refused", "text"]


def test_packages_that_nobody_may_read_are_a_reason_to_refuse(stage, allowed, tmp_path):
    """A root grades as nobody; answers that could import nothing then would lose their points."""
    if "namespaces" not in allowed or os.geteuid():
        pytest.skip("only a root becomes nobody, and only in namespaces")
    (tmp_path / "closed").mkdir(mode=0o700)
    with pytest.raises(Refused, match="closed cannot be read"):
        Process(replace(stage, visible=(*stage.visible, str(tmp_path / "closed"))), "namespaces", Limits())


@pytest.mark.parametrize("way", SHUT_IN)
def test_it_can_write_to_a_folder_of_its_own_alone(inside, way):
    assert inside(way, "open('note', 'w').write('x')\nout = open('note').read()") == "x"
    for place in ("kvlib.__file__", "kvlib.checks.calls.__file__", "json.__file__", "numpy.__file__"):
        code = f"import json, kvlib, kvlib.checks.calls, numpy\nout = open({place}, 'a').write('')"
        assert inside(way, code) in ("PermissionError", "OSError"), place


@pytest.mark.parametrize("way", SHUT_IN)
def test_it_cannot_look_into_the_grader(inside, way):
    for name in ("mem", "environ", "maps", "fd/3"):
        code = f"import os\nout = open(f'/proc/{{os.getppid()}}/{name}', 'rb').read(1) and 1"
        assert inside(way, code) in ("PermissionError", "FileNotFoundError", "OSError"), name


def test_namespaces_leave_no_process_network_or_right(inside):
    way = "namespaces"
    assert inside(way, "import os\nout = [os.getpid(), [n for n in os.listdir('/proc') if n.isdigit()]]") == [
        1,
        ["1"],
    ]
    assert inside(way, "import os\nout = os.kill(-1, 0)") == "ProcessLookupError"
    assert inside(way, "import socket\nout = socket.create_connection(('192.0.2.1', 80), 5)") == "OSError"
    assert inside(way, "import socket\nout = [name for _, name in socket.if_nameindex()]") in (["lo"], [])
    status = inside(way, "out = open('/proc/self/status').read()")
    found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {found[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert found["NoNewPrivs"] == "1" and "0" not in found["Uid"].split()
    assert inside(way, "import os\nout = sorted(os.listdir('/home'))") in ("FileNotFoundError", [])
    assert inside(way, "open('/proc/sys/kernel/hostname', 'w').write('x')\nout = 1") != 1
    assert inside(way, "import os\nout = os.statvfs(os.__file__).f_flag & os.ST_RDONLY") == 1
    shared = "from multiprocessing import shared_memory as s\nout = s.SharedMemory('x', True, 9).size"
    assert inside(way, shared) != 9


@pytest.mark.parametrize("way", isolation.WAYS)
def test_nothing_is_left_behind(stage, allowed, way):
    """What it has started ends with it: all of it in namespaces, elsewhere what has kept its group."""
    if way not in allowed or sys.platform != "linux":
        pytest.skip(f"this machine refuses {way}")
    own = "" if way != "namespaces" else "os.setsid()"
    code = f"import os, time\nif os.fork() == 0:\n    {own}\n    time.sleep(3600)\n"
    process = Process(stage, way, Limits(MANY))
    process.ask({"cell": code, "name": "test", "seconds": MANY}, MANY)
    tree = descendants(process.popen.pid)
    assert len(tree) >= 2
    process.close()
    until = time.monotonic() + 30
    while time.monotonic() < until and any(map(alive, tree)):
        time.sleep(0.02)
    assert not any(map(alive, tree))


def descendants(pid) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [pid, *(d for child in children.read().split() for d in descendants(int(child)))]


def alive(pid) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("way", isolation.WAYS)
@pytest.mark.parametrize(
    ("code", "why"),
    [
        (
            "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True: pass",
            "did not end within 1 s",
        ),
        ("import os\nos._exit(0)", "ended Python itself"),
        ("import ctypes\nctypes.string_at(1)", "crashed Python (SIGSEGV)"),
        ("import os\nos.closerange(0, 64)", "ended Python itself"),
    ],
)
def test_what_ends_it_is_said(stage, allowed, way, code, why):
    if way not in allowed:
        pytest.skip(f"this machine refuses {way}")
    process = Process(stage, way, Limits(1))
    with pytest.raises(Ended) as ended:
        process.ask({"cell": code, "name": "test", "seconds": 1}, 1)
    assert why in str(ended.value) and process.popen.poll() is not None


@pytest.mark.skipif(sys.platform != "linux", reason="it is counted where Linux says what a process takes")
@pytest.mark.parametrize("way", isolation.WAYS)
def test_memory_that_is_shared_or_spread_counts(stage, allowed, way):
    """RLIMIT_DATA does not count what is mapped as shared, nor what other processes take."""
    if way not in allowed:
        pytest.skip(f"this machine refuses {way}")
    process = Process(stage, way, Limits(MANY, 1 << 28))
    code = "import mmap, time\nm = mmap.mmap(-1, 1 << 29)\nfor _ in range(32): m.write(bytes(1 << 24))\n"
    code += "time.sleep(3600)"
    with pytest.raises(Ended, match="more than 0.25 GiB of memory"):
        process.ask({"cell": code, "name": "test", "seconds": MANY}, MANY)
