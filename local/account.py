"""Unprivileged account for Postgres, which refuses to run as root.

Root is the only user in many containers.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

NOBODY = 65534


class AccountMissingError(Exception):
    """Started as root with no way to switch to another user. The message names the obstacle."""


@dataclass(frozen=True)
class Account:
    """Command prefix that switches the user, and the resulting owner of the files.

    `owner` is the user id outside of any user namespace.
    """

    prefix: tuple[str, ...]
    owner: int

    def chown_tree(self, path: Path) -> None:
        """As root, change the owner of a tree to this account if another user owns it.

        The account can differ between starts.
        """
        if os.geteuid() != 0 or not path.exists() or path.stat().st_uid == self.owner:
            return
        for folder, _, files in os.walk(path):
            for name in (folder, *(str(Path(folder) / file) for file in files)):
                os.chown(name, self.owner, self.owner, follow_symlinks=False)


def choose_account(program: Path, directory: Path) -> Account:
    """Choose the account for `program`, a binary that refuses root, with its data in `directory`.

    As root, prefer a user namespace that maps root to another id: no file changes its owner. Where
    namespaces are forbidden (a container's seccomp profile), use uid 65534. If a parent folder
    denies access to that user, add the capability to bypass file permissions.

    Raises:
        AccountMissingError: all of these ways failed.
    """
    if os.geteuid() != 0:
        return Account((), os.geteuid())
    namespace = ("unshare", "--user", f"--map-user={NOBODY}")
    if _succeeds((*namespace, str(program), "--version")):
        return Account(namespace, 0)
    # The kernel clears the parent-death signal when the user changes, so setpriv sets it again.
    as_nobody = (
        "setpriv",
        f"--reuid={NOBODY}",
        f"--regid={NOBODY}",
        "--clear-groups",
        "--pdeathsig=INT",
    )
    closed = _find_inaccessible_folder(program.parent) or _find_inaccessible_folder(directory)
    if closed is None and _succeeds((*as_nobody, str(program), "--version")):
        return Account(as_nobody, NOBODY)
    with_dac_override = (*as_nobody, "--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    if _succeeds((*with_dac_override, str(program), "--version")):
        return Account(with_dac_override, NOBODY)
    if shutil.which("setpriv") is None:
        raise AccountMissingError(
            "Postgres does not run as root, and neither unshare nor setpriv can switch the user. "
            "Install util-linux, or run `make up` as an ordinary user."
        )
    reason = (
        f"The user nobody may not enter {closed}. Run: chmod o+x {closed}"
        if closed
        else "This machine does not allow switching to the user nobody."
    )
    raise AccountMissingError(
        f"Postgres does not run as root. {reason}\n"
        "  Or run `make up` as an ordinary user, from a folder that this user owns."
    )


def _find_inaccessible_folder(path: Path) -> Path | None:
    """Return the topmost folder on the path, itself included, that other users may not enter."""
    for folder in (*reversed(path.parents), path):
        if folder.is_dir() and not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


def _succeeds(command: tuple[str, ...]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
