from pathlib import Path

import pytest

from run_import.past_run import ImportRunsError, PastRun
from run_import.sources.mlflow_folder import is_mlruns, read_folder

RUN = "f26af1a03d8145df87253ef00f77a650"
META = f"""artifact_uri: file:///mlruns/1/{RUN}/artifacts
end_time: 1795795969887
lifecycle_stage: active
run_id: {RUN}
run_name: le net
start_time: 1795795969819
"""


@pytest.fixture
def mlruns(tmp_path: Path) -> Path:
    """A folder as MLflow writes it, with one run and one that is deleted."""
    files = {
        "1/meta.yaml": "experiment_id: '1'\nlifecycle_stage: active\nname: mnist\n",
        f"1/{RUN}/meta.yaml": META,
        f"1/{RUN}/metrics/train/loss": "1795795969858 2.5 0\n1795795969872 nan 10\n",
        f"1/{RUN}/metrics/old": "1795795969 0.5\n",
        f"1/{RUN}/params/lr": "0.1",
        f"1/{RUN}/tags/mlflow.user": "ann",
        f"1/{RUN}/tags/mlflow.note.content": "Best.",
        f"1/{RUN}/tags/dataset": "mnist",
        "1/deleted/meta.yaml": "run_id: deleted\nlifecycle_stage: deleted\n",
        "1/models/m-1/meta.yaml": "model_id: m-1\n",
        "0/meta.yaml": "name: Default\n",
        ".trash/2/meta.yaml": "name: gone\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_read_folder_returns_active_runs(mlruns: Path) -> None:
    assert is_mlruns(mlruns)
    [run] = read_folder(mlruns, None)
    loss = run.metrics["train/loss"]
    assert (loss[0], loss[1][:2]) == ((0, 1795795969858, 2.5), (10, 1795795969872))
    assert run.metrics["old"] == [(0, 1795795969, 0.5)]
    metrics = run.metrics
    times, texts = (1795795969819, 1795795969887), ({"dataset": "mnist"}, "Best.")
    assert run == PastRun("le net", RUN, {"lr": "0.1"}, metrics, "mnist", *times, *texts)


def test_read_folder_of_one_experiment(mlruns: Path) -> None:
    assert list(read_folder(mlruns, "Default")) == []
    assert len(list(read_folder(mlruns, "mnist"))) == 1
    with pytest.raises(ImportRunsError, match="It has Default, mnist"):
        list(read_folder(mlruns, "digits"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [("meta.yaml", "a: [", "not valid YAML"), ("metrics/old", "now\n", "line 1: not a time")],
)
def test_read_folder_damaged_is_told(mlruns: Path, name: str, text: str, message: str) -> None:
    (mlruns / "1" / RUN / name).write_text(text)
    with pytest.raises(ImportRunsError, match=message):
        list(read_folder(mlruns, None))
