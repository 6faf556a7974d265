"""A process that runs the answers of one submission, and what becomes of it."""

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass

from .staging import Stage

MOST = 32 << 20  # bytes of a reply
GRACE = 1.0  # seconds that it has to stop itself
START = 60.0  # seconds to start in
ENVIRONMENT = {
    "HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8", "MPLBACKEND": "Agg", "MPLCONFIGDIR": "/tmp",
    "NUMBA_CACHE_DIR": "/tmp", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1", "PATH": "",
}  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """What one exercise may take: `seconds`, and `memory` in bytes on top of what Python itself takes."""

    seconds: float = 10.0
    memory: int = 2 << 30


class Ended(Exception):
    """The process is gone; the text says why, as the end of "Your code for this exercise …"."""


class Refused(Exception):
    """The machine does not allow this way to shut a process in; the text says what failed."""


class Process:
    """A process shut in in a `way`, or Refused. Where a method raises Ended, it is gone for good."""

    def __init__(self, stage: Stage, way: str, limits: Limits):
        self.way, self.limits = way, limits
        program = (
            f"import sys; sys.path.insert(0, {str(stage.folder)!r});"
            " from kvlib.checks.grading.child.__main__ import main; main()"
        )
        own = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else {}
        self.root = tempfile.mkdtemp(dir=stage.folder)
        environment = ENVIRONMENT | {k: os.environ[k] for k in ("SYSTEMROOT",) if k in os.environ}
        if way != "namespaces":
            environment = {k: v.replace("/tmp", self.root) for k, v in environment.items()}
        self.popen = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-c", program],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            cwd=stage.folder, env=environment, start_new_session=os.name != "nt", **own,
        )  # fmt: skip
        self.pending: queue.SimpleQueue = queue.SimpleQueue()
        self.replies: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=self._talk, daemon=True).start()
        settings = {
            "way": way, "path": stage.path, "visible": stage.visible, "hidden": stage.hidden,
            "root": self.root, "memory": limits.memory, "seconds": 60 * limits.seconds,
        }  # fmt: skip
        try:
            ready = self.ask(settings, START)
        except Ended as ended:
            raise Refused(str(ended)) from None
        if ready.get("ready") != way:
            self.close()
            raise Refused(str(ready.get("failed")))
        self.rest = self._memory()

    def ask(self, request: dict, seconds: float) -> dict:
        """The reply to `request`; Ended if there is none within `seconds` and GRACE."""
        self.pending.put(json.dumps(request).encode() + b"\n")
        until = time.monotonic() + seconds + GRACE
        while True:
            try:
                line = self.replies.get(timeout=max(min(0.1, until - time.monotonic()), 0.001))
                break
            except queue.Empty:
                pass
            if self._memory() - getattr(self, "rest", 1 << 60) > self.limits.memory:
                self._end(f"took more than {self.limits.memory / 2**30:g} GiB of memory.")
            if time.monotonic() > until:
                self._end(f"did not end within {self.limits.seconds:g} seconds.")
        if line is None:
            self._end(None)
        try:
            reply = json.loads(line)
        except (ValueError, RecursionError):
            reply = None
        if not isinstance(reply, dict):
            self._end("sent something that cannot be read in place of its answer, or too much of it.")
        return reply

    def close(self):
        """End the process and all that it has started."""
        if self.way == "namespaces":  # the process outside ends the one inside, and with it all others there
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                self.popen.terminate()
                self.popen.wait(5)
        if hasattr(os, "killpg"):
            with contextlib.suppress(OSError):
                os.killpg(self.popen.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self.popen.kill()
        self.popen.wait()
        self.pending.put(None)
        shutil.rmtree(self.root, ignore_errors=True)

    def _end(self, why: str | None):
        if why is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(GRACE)
            why = _status(self.popen.poll())
        self.close()
        raise Ended(why)

    def _talk(self):
        """Hand requests over and take replies; in a thread, since an answer can hold up either pipe."""
        with contextlib.suppress(OSError, ValueError):
            while (request := self.pending.get()) is not None:
                self.popen.stdin.write(request)
                self.popen.stdin.flush()
                line = self.popen.stdout.readline(MOST)
                self.replies.put(line or None)
        self.replies.put(None)
        for pipe in (self.popen.stdin, self.popen.stdout):
            with contextlib.suppress(OSError, ValueError):
                pipe.close()

    def _memory(self) -> int:
        """Bytes of memory that the process and those it has started take, where the system tells."""
        total, left, page = 0, [self.popen.pid], os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
        while left:
            pid = left.pop()
            with contextlib.suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
                    total += int(statm.read().split()[1]) * page
                with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
                    left += map(int, children.read().split())
        return total


def _status(status: int | None) -> str:
    """How a process ended, in words."""
    if status is None:
        return "closed the way by which its answer comes."
    number = -status if status < 0 else status - 128
    if status < 0 or status > 128:
        with contextlib.suppress(ValueError):
            name = signal.Signals(number).name
            if name == "SIGKILL":
                return "was stopped by the system, most likely for the memory that it took."
            if name == "SIGXCPU":
                return "took too much time of the processor."
            return f"crashed Python ({name})."
    return "ended Python itself, before its answer could be read."
