"""Model metrics: the gauge that GET /metrics reports."""

from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from inference.models.metrics import ModelStateCollector
from tests.unit.inference.conftest import Serve, eventually


def test_collector_counts_states_at_each_scrape(serve: Serve, models_dir: Path) -> None:
    repository = serve(models_dir)
    registry = CollectorRegistry()
    registry.register(ModelStateCollector(repository))

    def count(state: str) -> str:
        text = generate_latest(registry).decode()
        [line] = [line for line in text.splitlines() if f'mlops_models{{state="{state}"}}' in line]
        return line.split()[1]

    assert [count(state) for state in ("READY", "LOADING", "FAILED")] == ["3.0", "0.0", "0.0"]
    (models_dir / "broken").mkdir()
    (models_dir / "broken" / "card.json").write_text("{")
    eventually(lambda: count("FAILED") == "1.0")
