"""Shuts this process in: what it can see, take and start, before it runs an answer.

The settings, all made by the grader:

    way       "namespaces", "landlock" or "process"
    visible   the paths that may be read, and `hidden` those within them that may not
    root     an empty folder: the place of the new root, and elsewhere the only one to write to
    memory    bytes that may be taken on top of what Python takes
    seconds   of processor time in all
"""

import os
import sys

from . import landlock, namespaces


def shut_in(settings: dict):
    """Raises OSError, which says what failed, if this machine does not allow the way that is asked for."""
    os.umask(0o022)
    used = _data()
    if settings["way"] == "namespaces":
        namespaces.enter(settings)
    else:
        os.chdir(settings["root"])
    if settings["way"] == "landlock":
        landlock.restrict(settings)
    if sys.platform == "linux":
        namespaces.give_up_rights()
    for path in settings["visible"]:
        if not os.access(path, os.R_OK):
            raise PermissionError(13, f"{path} cannot be read by the user that answers are run as")
    limit(settings, used)


def limit(settings: dict, used: int | None):
    """The limits of a process, where the system knows them; `used` is the memory it has taken before.

    Memory is what can be written to: the code of a library, and torch has gigabytes of it, is none.
    """
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return
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
