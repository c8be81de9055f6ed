"""As whom Postgres runs: it refuses to run as root, and many containers have nobody else."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

NOBODY = 65534


class AccountMissingError(Exception):
    """Started as root, and there is no way to be somebody else.

    The message says what stands in the way.
    """


@dataclass(frozen=True)
class Account:
    """What to put before a command, and the user id (outside of any namespace) to which its files
    belong.
    """

    prefix: tuple[str, ...]
    owner: int

    def own(self, path: Path) -> None:
        """Give a tree to this account, if we are root and it is somebody else's.

        The way may change between starts.
        """
        if os.geteuid() != 0 or not path.exists() or path.stat().st_uid == self.owner:
            return
        for folder, _, files in os.walk(path):
            for name in (folder, *(str(Path(folder) / file) for file in files)):
                os.chown(name, self.owner, self.owner, follow_symlinks=False)


def choose(program: Path, directory: Path) -> Account:
    """The account for `program` (a binary that refuses root), whose data lies in `directory`.

    As root: a user namespace in which root has another number, so that nothing changes hands. Where
    that is forbidden (a container's seccomp profile): the user nobody, and if a folder on the way
    is closed to him, with leave to pass.

    Raises:
        AccountMissingError: none of these ways is open.

    """
    if os.geteuid() != 0:
        return Account((), os.geteuid())
    namespace = ("unshare", "--user", f"--map-user={NOBODY}")
    if _runs((*namespace, str(program), "--version")):
        return Account(namespace, 0)
    # The kernel forgets "end me with my parent" when the user changes, so setpriv sets it again.
    plain = (
        "setpriv",
        f"--reuid={NOBODY}",
        f"--regid={NOBODY}",
        "--clear-groups",
        "--pdeathsig=INT",
    )
    closed = _closed_to_others(program.parent) or _closed_to_others(directory)
    if closed is None and _runs((*plain, str(program), "--version")):
        return Account(plain, NOBODY)
    with_leave = (*plain, "--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    if _runs((*with_leave, str(program), "--version")):
        return Account(with_leave, NOBODY)
    if shutil.which("setpriv") is None:
        raise AccountMissingError(
            "Postgres does not run as root, and neither unshare nor setpriv (util-linux) can change that here"
        )
    raise AccountMissingError(
        "Postgres does not run as root, so it would run as nobody, "
        + (
            f"who may not enter {closed}: chmod o+x {closed}"
            if closed
            else "which this machine does not allow"
        )
        + "\n  Or run `make up` as an ordinary user, from a folder of theirs."
    )


def _closed_to_others(path: Path) -> Path | None:
    """The topmost folder on the way to `path` (and itself, where it exists) that others may not
    pass.
    """
    for folder in (*reversed(path.parents), path):
        if folder.is_dir() and not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


def _runs(command: tuple[str, ...]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
