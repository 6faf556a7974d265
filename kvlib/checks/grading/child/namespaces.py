"""A process in namespaces of its own: its own files, processes, network and shared memory, and no rights.

It sees a new root with nothing in it but the paths that are `visible`, read-only, an empty /tmp and a
/proc of its own. So little has to be hidden: what was not put there is not there. The way is
that of containers: unshare(2), mount(2), pivot_root(2), user_namespaces(7), by the C library.
"""

import ctypes
import os
import signal
import sys

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
DETACH = 2
# What a bind mount has inherited and may not lose: the flag of statvfs(3) -> that of mount(2).
KEPT = {os.ST_NOSUID: NOSUID, os.ST_NODEV: NODEV, os.ST_NOEXEC: NOEXEC} if sys.platform == "linux" else {}
KEPT |= {1024: 1024, 2048: 2048, 4096: 1 << 21}  # noatime, nodiratime, relatime
DEVICES = ("null", "zero", "random", "urandom")
NOBODY, CAP_SYS_ADMIN = 65534, 21
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 24, 38


def enter(settings: dict):
    """Returns in a process that is shut in; the calling one stays outside, waits for it and ends with it."""
    libc = ctypes.CDLL(None, use_errno=True)

    def must(name, *args):
        if getattr(libc, name)(*args):
            number = ctypes.get_errno()
            raise OSError(number, f"{name}: {os.strerror(number)}")

    user, group = os.geteuid(), os.getegid()
    spaces = NEWNS | NEWUTS | NEWIPC | NEWPID | NEWNET
    as_root = user == 0 and _is_root()
    must("unshare", spaces if as_root else spaces | NEWUSER)
    if not as_root:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user or NOBODY} {user} 1")
        _write("/proc/self/gid_map", f"{group or NOBODY} {group} 1")
    _in_a_new_process(libc)
    _build(settings, must, as_root)
    if as_root:
        _bound(libc)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # a change of user takes it away


def _is_root() -> bool:
    """Whether this is a root that may mount and become nobody; in a container it may only be called so."""
    with open("/proc/self/status", encoding="ascii") as status:
        rights = next(int(line.split()[1], 16) for line in status if line.startswith("CapEff:"))
    with open("/proc/self/uid_map", encoding="ascii") as mapped:
        ranges = [(int(first), int(count)) for first, _, count in map(str.split, mapped)]
    return bool(rights >> CAP_SYS_ADMIN & 1) and any(a <= NOBODY < a + count for a, count in ranges)


def _write(path: str, text: str):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _in_a_new_process(libc):
    """Go on as the first process of the new namespace of processes; with it all others of it end."""
    pid = os.fork()
    if pid == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        return
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.kill(pid, signal.SIGKILL))
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    os.closerange(0, 1024)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def _build(settings: dict, must, as_root: bool):
    """The new root. Everything in it is mounted before anything of it is read-only."""
    root = settings["root"]

    def mount(source, target, kind, flags, data=None):
        source, target, kind, data = (
            os.fsencode(x) if x is not None else None for x in (source, target, kind, data)
        )
        must("mount", source, target, kind, ctypes.c_ulong(flags), data)

    mount(None, "/", None, REC | PRIVATE)
    mount("tmpfs", root, "tmpfs", NOSUID | NODEV, "size=64m,mode=755")
    for folder in ("proc", "dev", "tmp"):
        os.mkdir(f"{root}/{folder}")
    mount("tmpfs", f"{root}/tmp", "tmpfs", NOSUID | NODEV, "size=64m,mode=1777")
    mount("proc", f"{root}/proc", "proc", NOSUID | NODEV | NOEXEC)
    for name in DEVICES:
        with open(f"{root}/dev/{name}", "w", encoding="ascii"):
            mount(f"/dev/{name}", f"{root}/dev/{name}", None, BIND)
    for path in settings["visible"]:
        _show(path, root, mount)
    for path in settings["hidden"]:
        if os.path.isdir(root + path):
            mount("tmpfs", root + path, "tmpfs", NOSUID | NODEV, "size=4k,mode=755")
    os.chdir(root)
    if not as_root:  # no further namespace of users: in one there are rights again, though over nothing more
        _write("/proc/sys/user/max_user_namespaces", "0")
    must("pivot_root", b".", b".")
    must("umount2", b".", DETACH)
    os.chdir("/tmp")
    for point in _mounts():
        if point != "/tmp" and not point.startswith("/dev/"):
            flags = REMOUNT | BIND | RDONLY | NOSUID | _inherited(point)
            mount(None, point, None, flags)


def _show(path: str, root: str, mount):
    """`path` at its own place in the new root, a link as a link."""
    target = root + path
    if os.path.lexists(target):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), target)
        return
    if os.path.isdir(path):
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    mount(path, target, None, BIND | REC)


def _mounts() -> list[str]:
    """Where something is mounted, as this process sees it; in octal what would break the list."""
    with open("/proc/self/mountinfo", "rb") as listed:
        points = [line.split()[4] for line in listed]
    return [os.fsdecode(point.decode("unicode_escape").encode("latin-1")) for point in points]


def _inherited(point: str) -> int:
    flags = os.statvfs(point).f_flag
    return sum(to for given, to in KEPT.items() if flags & given)


def _bound(libc):
    """No program that this process runs gets a right; taking that away is a right itself, of root's."""
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0)


def give_up_rights():
    """No rights of root's are left to this process, and none can be had."""
    libc = ctypes.CDLL(None, use_errno=True)
    _bound(libc)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3 of capset(2), of this process
    if libc.capset(ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)())):
        raise OSError(ctypes.get_errno(), "capset")
    if libc.prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
