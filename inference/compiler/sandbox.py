"""Shuts a process in.

`python -P -s -m inference.compiler.sandbox MODULE` runs a module that may read libraries and use
its own directory.

The working directory is what it may write. Elsewhere it may read Python, its packages and this one,
and what they link to. It has no network, starts no process and signals none; its memory and its
files are bounded, and its time by `allow_cpu`. Landlock and seccomp act on a thread and those that
it starts: that is why this stands before any other import. What a platform lacks is left out;
`lacking` names it.
"""

import contextlib
import ctypes
import math
import os
import platform
import resource
import runpy
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

ADDRESS_SPACE_BYTES = 4 * 2**30
FILE_BYTES = 512 * 2**20
CPU_SECONDS = 20

# The numbers of system calls (x86-64, arm64; None where there is none), of prctl and of Landlock:
# of the kernel's headers.
MACHINES = {"x86_64": 0, "aarch64": 1}
AUDIT_ARCH = (0xC000003E, 0xC00000B7)
FORBIDDEN = {
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "kill": (62, 129),
    "pidfd_send_signal": (424, 424),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "io_uring_setup": (425, 425),  # it could do all of these
}
CLONE, CLONE3 = (56, 220), 435
CLONE_THREAD = 0x10000
X32_BIT = 0x40000000
PR_GET_SECCOMP, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 21, 22, 38, 2
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL, FAIL = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS = 1, 38

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION, PATH_BENEATH = 1, 1
WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE = 1 << 1, 1 << 2, 1 << 3, 1 << 14
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_FILE, RENAME = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 13
READ = READ_FILE | READ_DIR
OWN = READ | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_FILE | RENAME
# How many rights each version of Landlock knows: of files, of TCP (bind, connect), and scopes
# (abstract sockets, signals).
RIGHTS = {1: (13, 0, 0), 2: (14, 0, 0), 3: (15, 0, 0), 4: (15, 2, 0), 5: (16, 2, 0), 6: (16, 2, 2)}
READABLE = ("/usr", "/lib", "/lib64", "/proc/self", "/sys/devices/system/cpu")
READABLE_FILES = (
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/dev/null",
    "/dev/urandom",
)

_libc = ctypes.CDLL(None, use_errno=True)


def lacking() -> list[str]:
    """Return what this platform has not got of what shuts a process in."""
    missing = []
    if _landlock_version() < 1:
        missing.append("Landlock (files)")
    if not _has_seccomp():
        missing.append("seccomp (network, processes)")
    if sys.platform == "darwin":
        missing.append("a limit of the address space")
    return missing


def enter(own: Path) -> None:
    """Shut this process in, for good; `own` is the directory that it may write. Raises OSError."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    if sys.platform != "darwin":
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    version = _landlock_version()
    if version >= 1 or _has_seccomp():
        _call(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    if version >= 1:
        _restrict_files(version, own)
    if _has_seccomp():
        _forbid_calls(MACHINES[platform.machine()])


def allow_cpu(seconds: int = CPU_SECONDS) -> None:
    """Have the kernel end this process after so many more seconds of CPU time."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(
        resource.RLIMIT_CPU, (math.ceil(usage.ru_utime + usage.ru_stime) + seconds, most)
    )


def _landlock_version() -> int:
    """Return the version of Landlock that the kernel offers, 0 or less where it has none or hides
    it.
    """
    if sys.platform != "linux":
        return 0
    return int(_libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ASK_VERSION))


def _restrict_files(version: int, own: Path) -> None:
    files, tcp, scopes = RIGHTS[min(version, max(RIGHTS))]
    handled = (1 << files) - 1
    rights = struct.pack("=QQQ", handled, (1 << tcp) - 1, (1 << scopes) - 1)
    size = ctypes.c_size_t(len(rights) if scopes else 16 if tcp else 8)
    ruleset = _call(_libc.syscall(CREATE_RULESET, rights, size, 0), "landlock_create_ruleset")
    packages = (path for path in sys.path if path.endswith((".zip", "-packages", "lib-dynload")))
    readable = (
        *READABLE,
        sys.prefix,
        sys.base_prefix,
        *packages,
        str(Path(__file__).parent.parent),
    )
    for paths, access in (
        (readable, READ),
        (READABLE_FILES, READ_FILE),
        (("/dev/null",), WRITE_FILE),
        ((str(own),), OWN & handled),
    ):
        _allow(ruleset, paths, access)
    _call(_libc.syscall(RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def _allow(ruleset: int, paths: Iterable[str], access: int) -> None:
    """Add a right to what is below each path; a path that is not there needs none."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            rights = access if Path(path).is_dir() else access & ~READ_DIR
            _call(
                _libc.syscall(
                    ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0
                ),
                "landlock_add_rule",
            )
            os.close(descriptor)


def _has_seccomp() -> bool:
    return (
        sys.platform == "linux"
        and platform.machine() in MACHINES
        and _libc.prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0
    )


def _forbid_calls(machine: int) -> None:
    """Have the kernel refuse some system calls.

    Every test below skips the answer that follows it when it does not hold.
    """
    number, architecture, first_argument = 0, 4, 16  # offsets in struct seccomp_data
    program = [
        (LOAD, 0, 0, architecture),
        (EQUAL, 1, 0, AUDIT_ARCH[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, number),
    ]
    program += [(AT_LEAST, 0, 1, X32_BIT), (RETURN, 0, 0, KILL)]
    for each in FORBIDDEN.values():
        call = each[machine]
        if call is not None:
            program += [(EQUAL, 0, 1, call), (RETURN, 0, 0, FAIL | EPERM)]
    # A thread is cloned, a process too; what clone3 does is in memory, where nobody can look, and
    # libc has clone as well.
    program += [(EQUAL, 0, 1, CLONE3), (RETURN, 0, 0, FAIL | ENOSYS)]
    program += [
        (EQUAL, 0, 3, CLONE[machine]),
        (LOAD, 0, 0, first_argument),
        (ANY_BIT, 1, 0, CLONE_THREAD),
    ]
    program += [(RETURN, 0, 0, FAIL | EPERM), (RETURN, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in program))
    head = struct.pack("@HP", len(program), ctypes.addressof(code))
    _call(_libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, head, 0, 0), "seccomp")


def _call(result: int, what: str) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


if __name__ == "__main__":
    enter(Path.cwd())
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
