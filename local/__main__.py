"""Entry point of `make up`, `make down` and `make monitoring`: `python -m local up` and so on."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def main(arguments: list[str]) -> int:
    """Run `up`, `down` or `monitoring` and return the exit code."""
    for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, _exit)
    # Imported after the handlers, so that Ctrl-C during the imports prints no traceback.
    from local import monitoring, settings, supervisor  # noqa: PLC0415

    try:
        current = settings.read(os.environ)
        if arguments == ["up"]:
            return supervisor.Supervisor(current).up()
        if arguments == ["down"]:
            return supervisor.down(current)
        if arguments == ["monitoring"]:
            return monitoring.run(current, settings.read_monitoring_ports(os.environ))
    except settings.InvalidSettingError as error:
        print(error)
        return 1
    print("usage: python -m local up|down|monitoring")
    return 2


def _exit(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)  # no program runs yet


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
