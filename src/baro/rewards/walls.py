"""Shut the process that calls `enter` in: no network, no other process, no file but those named. Linux only.

Three layers that need no privileges: a network namespace of its own (where the machine allows one), Landlock for
files, and a seccomp filter for everything else. Standard library only: the jail runs this without the package.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import struct
from collections.abc import Iterable

# --- files: Landlock (linux/landlock.h) ------------------------------------------------------------------------------

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(1, 6))
MAKE_DIR, MAKE_REG, TRUNCATE = 1 << 7, 1 << 8, 1 << 14
READ = READ_FILE | READ_DIR
WRITE = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | TRUNCATE
HANDLED = {1: 13, 2: 14, 3: 15, 4: 15}  # bits of file access by version; 16 from version 5 on

# --- calls: seccomp (linux/seccomp.h, linux/filter.h) ----------------------------------------------------------------

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALWAYS = {  # refused in the jail: x86_64, aarch64
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "fork": (57, None), "vfork": (58, None),
    "execve": (59, 221), "execveat": (322, 281), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "setsid": (112, 157), "setpgid": (109, 154), "unshare": (272, 97),
    "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "bpf": (321, 280), "perf_event_open": (298, 241), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "io_uring_setup": (425, 425), "userfaultfd": (323, 282), "kexec_load": (246, 104),
    "init_module": (175, 105), "finit_module": (313, 273), "setpriority": (141, 140), "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119), "sched_setparam": (142, 118), "ioprio_set": (251, 30), "shmget": (29, 194),
    "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54), "setxattr": (188, 5),
    "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15),
    "fremovexattr": (199, 16), "utime": (132, None), "utimes": (235, None), "futimesat": (261, None),
    "utimensat": (280, 88), "truncate": (76, 45),
}  # fmt: skip
SIGNALS = {
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424),
}  # fmt: skip
CLONE, CLONE3, PRLIMIT = (56, 220), (435, 435), (302, 261)
CLONE_THREAD, CLONE_NEWUSER, CLONE_NEWNET = 0x10000, 0x10000000, 0x40000000
LOAD, JUMP_EQUAL, JUMP_SET, JUMP_ABOVE, ANSWER = 0x20, 0x15, 0x45, 0x35, 0x06
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data

_libc = ctypes.CDLL(None, use_errno=True)


def missing() -> str:
    """What this machine lacks for `enter`, empty when it lacks nothing."""
    if platform.system() != "Linux" or platform.machine() not in ARCHITECTURES:
        return f"this is {platform.system()} on {platform.machine()}, not Linux on x86_64 or aarch64"
    if _landlock() < 1:
        return "this kernel has no Landlock (Linux 5.13 or newer, not switched off)"
    return ""


def enter(
    *,
    readable: Iterable[str],
    writable: Iterable[str],
    seconds: float,
    memory: int,
    file_size: int,
    files: int,
    signals: bool,
) -> None:
    """From here on this process reads and writes only what is named, and starts, signals and reaches nothing.

    Args:
        readable, writable: files and folders, with all that is in them; those that do not exist are left out.
        seconds: of processor time. memory: bytes of address space. file_size: bytes of one file. files: open at a time.
        signals: whether it may send signals (to what it started before).

    Raises:
        OSError: one of the layers could not be put up.
    """
    whole = int(seconds) + 1
    for limit, value in (
        (resource.RLIMIT_CPU, whole),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_NOFILE, files),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))
    _libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)  # where containers forbid it, the filter below refuses sockets anyway
    _check(_libc.prctl(38, 1, 0, 0, 0), "no_new_privs")
    _drop_capabilities()
    _restrict_files(readable, writable, signals)
    _restrict_calls(signals)


def _drop_capabilities() -> None:
    header, data = struct.pack("Ii", 0x20080522, 0), bytes(24)
    _check(_libc.capset(header, data), "capset")


def _landlock() -> int:
    return _libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))


def _restrict_files(readable: Iterable[str], writable: Iterable[str], signals: bool) -> None:
    version = _landlock()
    handled = (1 << HANDLED.get(version, 16)) - 1
    # files; TCP bind and connect (version 4); abstract sockets and signals (version 6)
    attributes = struct.pack("QQQ", handled, 3, 1 if signals else 3)[: 8 if version < 4 else 16 if version < 6 else 24]
    rules = _libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    _check(rules, "landlock")
    for paths, access in ((readable, READ), (writable, WRITE)):
        for path in paths:
            if not os.path.exists(path):
                continue
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            on_files = READ_FILE | WRITE_FILE | TRUNCATE
            allowed = access & handled & (~0 if os.path.isdir(path) else on_files)
            rule = struct.pack("=Qi", allowed, place)
            _check(_libc.syscall(ADD_RULE, rules, 1, rule, ctypes.c_uint32(0)), f"landlock: {path}")
            os.close(place)
    _check(_libc.syscall(RESTRICT_SELF, rules, ctypes.c_uint32(0)), "landlock")
    os.close(rules)


def _restrict_calls(signals: bool) -> None:
    machine = platform.machine()
    column = list(ARCHITECTURES).index(machine)
    refused = {**ALWAYS, **({} if signals else SIGNALS)}
    eperm, enosys = REFUSE | errno.EPERM, REFUSE | errno.ENOSYS
    program = [
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, ARCHITECTURES[machine]),
        (ANSWER, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (JUMP_ABOVE, 0, 1, 0x40000000),  # x32: other numbers for the same calls
        (ANSWER, 0, 0, KILL),
        (JUMP_EQUAL, 0, 1, CLONE3[column]),  # its flags lie in memory, where a filter cannot look; libc then uses clone
        (ANSWER, 0, 0, enosys),
        (JUMP_EQUAL, 0, 4, CLONE[column]),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (JUMP_SET, 0, 1, CLONE_THREAD),
        (ANSWER, 0, 0, ALLOW),
        (ANSWER, 0, 0, eperm),
        (JUMP_EQUAL, 0, 4, PRLIMIT[column]),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (JUMP_EQUAL, 0, 1, 0),
        (ANSWER, 0, 0, ALLOW),
        (ANSWER, 0, 0, eperm),
    ]
    for numbers in refused.values():
        number = numbers[column]
        if number is not None:
            program += [(JUMP_EQUAL, 0, 1, number), (ANSWER, 0, 0, eperm)]
    program.append((ANSWER, 0, 0, ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    whole = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    _check(_libc.prctl(22, 2, whole, 0, 0), "seccomp")


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
