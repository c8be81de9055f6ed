"""Sandbox: confines a process by Landlock, seccomp and resource limits.

`python -P -s -m inference.compiler.sandbox MODULE` runs a module in the sandbox. The process may
write its working directory. It may read Python, its packages, this package, and the libraries they
link to. It has no network, starts no process and signals none. Memory and file sizes are limited,
and CPU time by `limit_cpu`.

Landlock and seccomp apply to the calling thread and to threads that it starts later. For that
reason the sandbox is entered before any other import. Features that the platform lacks are
skipped, and `missing_features` names them.
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
from collections.abc import Iterable, Sequence
from pathlib import Path

ADDRESS_SPACE_BYTES = 4 * 2**30
FILE_BYTES = 512 * 2**20
# CPU time of one job. child_errors.WALL_SECONDS limits its wall time and must be larger.
CPU_SECONDS = 20

# Numbers of system calls (x86-64, arm64; None where it does not exist), of prctl and of Landlock,
# from the kernel's headers.
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
    "io_uring_setup": (425, 425),  # can do all of the above
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
# Number of rights in each version of Landlock: for files, for TCP (bind, connect), and scopes
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


def missing_features() -> list[str]:
    """Return the sandbox features that this platform lacks."""
    missing = []
    if _landlock_version() < 1:
        missing.append("Landlock (files)")
    if not _has_seccomp():
        missing.append("seccomp (network, processes)")
    if sys.platform == "darwin":
        missing.append("an address space limit")
    return missing


def enter(
    own: Path, readable: Sequence[Path] = (), address_space_bytes: int = ADDRESS_SPACE_BYTES
) -> None:
    """Confine this process permanently. Raises OSError.

    It may write the directory `own`, and read the directories `readable` beside Python, its
    packages and this package.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    if sys.platform != "darwin":
        resource.setrlimit(resource.RLIMIT_AS, (address_space_bytes, address_space_bytes))
    version = _landlock_version()
    if version >= 1 or _has_seccomp():
        _check(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    if version >= 1:
        _restrict_files(version, own, map(str, readable))
    if _has_seccomp():
        _forbid_calls(MACHINES[platform.machine()])


def limit_cpu(seconds: int = CPU_SECONDS) -> None:
    """Let the kernel kill this process after `seconds` more seconds of CPU time."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard_limit = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(
        resource.RLIMIT_CPU, (math.ceil(usage.ru_utime + usage.ru_stime) + seconds, hard_limit)
    )


def _landlock_version() -> int:
    """Return the kernel's version of Landlock, 0 or less when it is absent or disabled."""
    if sys.platform != "linux":
        return 0
    return int(_libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ASK_VERSION))


def _restrict_files(version: int, own: Path, additional: Iterable[str]) -> None:
    files, tcp, scopes = RIGHTS[min(version, max(RIGHTS))]
    handled = (1 << files) - 1
    rights = struct.pack("=QQQ", handled, (1 << tcp) - 1, (1 << scopes) - 1)
    size = ctypes.c_size_t(len(rights) if scopes else 16 if tcp else 8)
    ruleset = _check(_libc.syscall(CREATE_RULESET, rights, size, 0), "landlock_create_ruleset")
    packages = (path for path in sys.path if path.endswith((".zip", "-packages", "lib-dynload")))
    readable = (
        *READABLE,
        sys.prefix,
        sys.base_prefix,
        *packages,
        str(Path(__file__).parent.parent),
        *additional,
    )
    for paths, access in (
        (readable, READ),
        (READABLE_FILES, READ_FILE),
        (("/dev/null",), WRITE_FILE),
        ((str(own),), OWN & handled),
    ):
        _allow(ruleset, paths, access)
    _check(_libc.syscall(RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def _allow(ruleset: int, paths: Iterable[str], access: int) -> None:
    """Grant access below each existing path."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            rights = access if Path(path).is_dir() else access & ~READ_DIR
            _check(
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
    """Install a seccomp filter that fails the FORBIDDEN system calls.

    In the program, each test jumps over the RETURN after it when it does not hold.
    """
    number, architecture, first_argument = 0, 4, 16  # offsets in struct seccomp_data
    program = [
        (LOAD, 0, 0, architecture),
        (EQUAL, 1, 0, AUDIT_ARCH[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, number),
    ]
    program += [(AT_LEAST, 0, 1, X32_BIT), (RETURN, 0, 0, KILL)]
    for numbers in FORBIDDEN.values():
        call = numbers[machine]
        if call is not None:
            program += [(EQUAL, 0, 1, call), (RETURN, 0, 0, FAIL | EPERM)]
    # Threads and processes are both created by clone, and its flags distinguish them. clone3
    # keeps its flags in memory, where a filter cannot read them. libc falls back to clone.
    program += [(EQUAL, 0, 1, CLONE3), (RETURN, 0, 0, FAIL | ENOSYS)]
    program += [
        (EQUAL, 0, 3, CLONE[machine]),
        (LOAD, 0, 0, first_argument),
        (ANY_BIT, 1, 0, CLONE_THREAD),
    ]
    program += [(RETURN, 0, 0, FAIL | EPERM), (RETURN, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    sock_fprog = struct.pack("@HP", len(program), ctypes.addressof(code))
    _check(_libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, sock_fprog, 0, 0), "seccomp")


def _check(result: int, operation: str) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{operation}: {os.strerror(ctypes.get_errno())}")
    return result


if __name__ == "__main__":
    enter(Path.cwd())
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
