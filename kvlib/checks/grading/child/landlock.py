"""Landlock, where namespaces are refused: from here on this process opens only what it was allowed to.

It is a part of Linux since 5.13, and needs no rights. What a kernel's version of it cannot shut off stays
open; what `kvlib grade --isolation` says is true of the oldest. See landlock(7) for the numbers.
"""

import ctypes
import os

CREATE, ADD, RESTRICT = 444, 445, 446  # system calls, the same on every machine
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE, IOCTL = 1, 2, 4, 8, 1 << 14, 1 << 15
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL
READING = READ_FILE | READ_DIR
# The rights to files that each version knows: all below this bit; and from 4 and 6 on TCP, and signals.
RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
TCP, SCOPES = 3, 3
DEVICES = {"/dev/null": READ_FILE | WRITE_FILE, "/dev/zero": READ_FILE, "/dev/random": READ_FILE}
DEVICES["/dev/urandom"] = READ_FILE
SYSTEM = ("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system/cpu")
NO_NEW_PRIVILEGES = 38


class Rules(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def restrict(settings: dict):
    """Raises OSError where the kernel has no Landlock."""
    libc = ctypes.CDLL(None, use_errno=True)

    def call(number, *args):
        result = libc.syscall(ctypes.c_long(number), *args)
        if result < 0:
            error = ctypes.get_errno()
            raise OSError(error, f"Landlock: {os.strerror(error)}")
        return result

    version = call(CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    every = (1 << RIGHTS[min(version, 5)]) - 1
    rules = Rules(every, TCP if version >= 4 else 0, SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = call(CREATE, ctypes.byref(rules), ctypes.c_size_t(size), ctypes.c_uint32(0))

    def allow(path, rights):
        try:
            folder = os.open(path, os.O_PATH)
        except FileNotFoundError:
            return
        rights &= every if os.path.isdir(path) else every & OF_FILES
        rule = Beneath(rights, folder)
        call(ADD, ctypes.c_int(ruleset), ctypes.c_int(1), ctypes.byref(rule), ctypes.c_uint32(0))
        os.close(folder)

    for path in settings["visible"]:
        show(path, settings["hidden"], allow)
    for path, rights in DEVICES.items():
        allow(path, rights)
    for path in SYSTEM:
        allow(path, READING)
    allow(settings["root"], every & ~(EXECUTE | IOCTL))
    if libc.prctl(NO_NEW_PRIVILEGES, ctypes.c_ulong(1), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    call(RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)


def show(path: str, hidden, allow):
    """Allow reading of `path`. A rule holds for all beneath it: around what is hidden each neighbour has one.

    The names of hidden files can be listed; what is in them cannot be read.
    """
    if not any(one == path or one.startswith(path + "/") for one in hidden):
        allow(path, READING)
    elif path not in hidden:
        allow(path, READ_DIR)
        for name in os.listdir(path):
            show(os.path.join(path, name), hidden, allow)
