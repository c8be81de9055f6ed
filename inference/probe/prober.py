"""Prober: probe reports of models, with the readings kept on disk.

A reading depends only on the model file and its signature, so each one is made once.
"""

import contextlib
import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from inference.model_format.atomic_file import write_atomically
from inference.model_format.card import Card, FileRecord
from inference.probe.reader import read_probe
from inference.probe.report import ProbeReport, Reading
from inference.runtime.network import Network

PROBES_DIR = "probes"  # in COMPILED_DIR
# Part of every key: raise it when the digits or the usual inputs change.
PROBE_VERSION = 1
MIN_ACCURACY = 0.7  # default of PROBE_MIN_ACCURACY
# A model that reads this much less than its card's test accuracy is not what the card describes.
TOLERANCE = 0.1


class Prober:
    """Makes probe reports, and keeps their readings in a directory if it can be written."""

    def __init__(self, directory: Path | None = None, min_accuracy: float = MIN_ACCURACY) -> None:
        self._directory = directory
        self._min_accuracy = min_accuracy

    def report(self, network: Network, record: FileRecord, card: Card) -> ProbeReport:
        """Return the report of a model. `record` is that of its LiteRT file."""
        reading = self._kept(network, record, card)
        if reading.accuracy is None:
            return ProbeReport(reading)
        passed = reading.accuracy >= self._min_accuracy
        is_as_promised = (
            card.test_accuracy is not None and reading.accuracy >= card.test_accuracy - TOLERANCE
        )
        warning = reading.best is not None or not (passed or is_as_promised)
        return ProbeReport(reading, passed, warning)

    def _kept(self, network: Network, record: FileRecord, card: Card) -> Reading:
        if self._directory is None:
            return read_probe(network, card)
        signature = [PROBE_VERSION, record.sha256, card.classes, card.input.document(), card.output]
        key = hashlib.sha256(json.dumps(signature).encode()).hexdigest()
        path = self._directory / f"{key}.json"
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            return Reading.from_document(json.loads(path.read_bytes()))
        reading = read_probe(network, card)
        with contextlib.suppress(OSError):  # then it is made again at the next start
            self._directory.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(asdict(reading)).encode(), flush=False)
        return reading
