"""The journal's gauges tell the backlog and the size on disk."""

from pathlib import Path

from inference.observability.metrics import Metrics
from inference.prediction_log.journal import Journal
from inference.prediction_log.log_status import LogStatus
from inference.prediction_log.metrics import JournalCollector
from inference.prediction_log.segments import list_segments
from inference.prediction_log.shipped_offsets import ROWS, ShippedOffsets


def test_gauges_tell_the_backlog_and_the_size(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 2**20)
    journal.begin_record()
    journal.append(b'{"at":1}\n')
    journal.append(b'{"at":2}\n')
    [segment] = list_segments(tmp_path)
    ShippedOffsets(tmp_path).put(ROWS, segment, 9)
    collector = JournalCollector(tmp_path, LogStatus(journal, 60))
    gauges = {metric.name: metric.samples[0].value for metric in collector.collect()}
    assert gauges["mlops_journal_waiting_bytes"] == 9
    assert gauges["mlops_journal_waiting_seconds"] > 1_000_000_000
    assert gauges["mlops_journal_bytes"] == 18


def test_registered_collector_is_in_the_text(tmp_path: Path) -> None:
    metrics = Metrics()
    status = LogStatus(Journal(tmp_path, 2**20), 60)
    metrics.register(JournalCollector(tmp_path, status))
    assert "mlops_journal_waiting_bytes 0.0" in metrics.text()
