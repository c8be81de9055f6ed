"""`python -m local up` and `python -m local down`; `make up` and `make down` call them."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def main(arguments: list[str]) -> int:
    """Run `up` or `down` and return the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    # Which takes a moment, and Ctrl-C meanwhile should be no traceback
    from local import settings, supervisor  # noqa: PLC0415

    try:
        current = settings.read(os.environ)
        if arguments == ["up"]:
            return supervisor.Supervisor(current).up()
        if arguments == ["down"]:
            return supervisor.down(current)
    except settings.InvalidSettingError as problem:
        print(problem)
        return 1
    print("usage: python -m local up|down")
    return 2


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)  # nothing runs yet


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
