"""Unmodified MLflow ScoringServerClient: arrays, DataFrames, a named model, errors.

The client has no argument for a key. `requests` takes it from the file in $NETRC, which names
127.0.0.1 alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

from tests.corpus.protocol_clients.report import Report, read_service

service, report = read_service(), Report()
host, port = service.address.split(":")
champion = ScoringServerClient(host, int(port))
lenet = ScoringServerClient(host, f"{port}/mlflow/lenet")


def check(name: str, client: ScoringServerClient, data: Any, **options: Any) -> None:
    """Note the probabilities of an invocation."""
    report.answer(name, client.invoke(data, **options).get_predictions("ndarray"))


digits = service.digits
rows = digits.reshape(-1, 784)
fractions = (rows[:2] / 255).astype(np.float32)
order = np.random.default_rng(0).permutation(784)
pixels = pd.DataFrame(rows[:2], columns=[f"pixel{number}" for number in range(784)])
check("array", champion, digits[:2])
check("array of float32", champion, digits[:2].astype(np.float32))
check("array of rows", champion, rows[:2])
check("array, all digits", champion, digits)
check("array, scale", champion, fractions, params={"scale": 255})
check("DataFrame", champion, pd.DataFrame(rows[:2]))
check("DataFrame of names", champion, pixels)
check("DataFrame, other order", champion, pixels.iloc[:, order])
check("DataFrame, scale", champion, pd.DataFrame(fractions), params={"scale": 255})
check("lenet: array", lenet, digits[:2])
check("lenet: DataFrame", lenet, pixels)
champion.ping()
lenet.ping()
champion.wait_server_ready(timeout=5)
report.facts |= {"version": champion.get_version()}

unknown = ScoringServerClient(host, f"{port}/mlflow/none")
without_key = ScoringServerClient("localhost", int(port))
report.refuse("unknown model", lambda: unknown.invoke(digits[:2]))
report.refuse("unknown model, ping", unknown.ping)
report.refuse("shape", lambda: champion.invoke(digits[:2, :27]))
report.refuse("fractions", lambda: champion.invoke(fractions))
report.refuse("NaN", lambda: champion.invoke(np.full((1, 784), np.nan)))
report.refuse("columns", lambda: champion.invoke(pixels.iloc[:, :783]))
report.refuse("too large", lambda: champion.invoke(np.zeros((1001, 784), np.uint8)))
report.refuse("no key", lambda: without_key.invoke(digits[:2]))
report.print()
