"""Shuts this process in: what it can see, take and start, before it runs an answer.

The settings, all made by the grader:

    way       "namespaces", "landlock" or "process"
    visible   the paths that may be read, and `hidden` those within them that may not
    root      an empty folder, for the first way
    memory    bytes that may be taken on top of what Python takes
    seconds   of processor time in all
"""

import ctypes
import os
import sys

from . import landlock, namespaces

PR_SET_DUMPABLE, PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 4, 1, 38


def shut_in(settings: dict):
    """Raises OSError, which says what failed, if this machine does not allow the way that is asked for."""
    way = settings["way"]
    if way == "namespaces":
        namespaces.enter(settings)
    elif way == "landlock":
        os.chdir(settings["root"])
        landlock.restrict(settings)
    else:
        os.chdir(settings["root"])
    if sys.platform == "linux":
        prctl(PR_SET_NO_NEW_PRIVS, 1)
    limit(settings)


def prctl(option: int, value: int):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def limit(settings: dict):
    """The limits of a process, where the system knows them. Memory is counted as what is written: the code of
    a library, and torch has gigabytes of it, is none."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return
    used = _data()
    limits = {
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": 64 << 20,
        "RLIMIT_NOFILE": 256,
        "RLIMIT_CPU": int(settings["seconds"]),
    }
    if used is not None:
        limits["RLIMIT_DATA"] = used + settings["memory"]
    if settings["way"] == "namespaces":  # elsewhere the user's other processes count too
        limits["RLIMIT_NPROC"] = 64
    for name, most in limits.items():
        number = getattr(resource, name, None)
        if number is not None:
            hard = resource.getrlimit(number)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(number, (most, most))


def _data() -> int | None:
    """The bytes that RLIMIT_DATA counts of this process."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmData:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None
