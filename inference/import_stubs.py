"""What Connexion imports and this service never calls.

HTTP clients, for what lies elsewhere, and for tests.

They would take 10 MB and a third of the time that all imports take.
"""

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager

UNUSED = ("httpx", "requests", "starlette.testclient")


class _StandIn(types.ModuleType):
    """A module of which any name is a class that does nothing."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):  # what Python itself asks of a module
            raise AttributeError(name)
        return type(name, (), {})


@contextmanager
def left_out() -> Iterator[None]:
    """Let what is imported meanwhile find stand-ins.

    What is imported later finds the modules themselves.
    """
    stand_ins = {name: _StandIn(name) for name in UNUSED if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]
