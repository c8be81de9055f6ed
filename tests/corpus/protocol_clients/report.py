"""Report of a client's program: what the service answered, as JSON on stdout.

The programs run in the environment of their client, where the project's packages are missing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Service:
    """The service and its test data, from the program's argument.

    `digits` are uint8 images (n, 28, 28); `files` has the first of them as images in base64.
    """

    address: str
    key: str
    digits: Any
    files: list[str]

    @property
    def url(self) -> str:
        """The root URL."""
        return f"http://{self.address}"

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a client that has a key."""
        return {"X-API-Key": self.key}


@dataclass
class Report:
    """Answers, facts and errors by the name of their check.

    An answer has the probabilities of the first digits of the service's, and the version that the
    service named.
    """

    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def answer(self, check: str, probabilities: Any, version: str | None = None) -> None:
        """Note probabilities of float32 and shape (n, classes)."""
        rows = np.asarray(probabilities).tolist()
        self.answers[check] = {"probabilities": rows, "version": version}

    def refuse(self, check: str, call: Callable[[], object]) -> None:
        """Note the error that a call raises."""
        try:
            result = call()
        except Exception as error:  # noqa: BLE001  # of the client
            self.errors[check] = f"{type(error).__name__}: {error}"
        else:
            self.errors[check] = f"No error: {result}"

    async def refuse_awaited(self, check: str, call: Awaitable[object]) -> None:
        """Note the error that an awaited call raises."""
        try:
            result = await call
        except Exception as error:  # noqa: BLE001  # of the client
            self.errors[check] = f"{type(error).__name__}: {error}"
        else:
            self.errors[check] = f"No error: {result}"

    def print(self) -> None:
        """Print the report as one line."""
        print(json.dumps(asdict(self)))


def read_service() -> Service:
    """Return the service that the program's argument describes."""
    given = json.loads(sys.argv[1])
    digits = np.load(given.pop("digits"))
    return Service(digits=digits, **given)
