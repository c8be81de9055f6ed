from pathlib import Path

from run_import.sources.tensorboard import is_log_folder, read_logs
from tests.unit.run_import.sources.test_event_file import scalar, simple

FILE = "events.out.tfevents.1795737308.host.1.0.v2"


def test_read_logs_joins_the_folders_of_keras(tmp_path: Path) -> None:
    logs = {
        "lenet/train": scalar("epoch_loss", 0, simple(0.5)),
        "lenet/validation": scalar("epoch_loss", 0, simple(0.75)),
        "deep/mlp": scalar("Loss/train", 0, simple(0.25))[:-1],
    }
    assert not is_log_folder(tmp_path)
    for name, data in logs.items():
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / FILE).write_bytes(data)
    assert is_log_folder(tmp_path)
    mlp, lenet = read_logs(tmp_path, "mnist")
    assert (lenet.name, lenet.project, lenet.started_ms) == ("lenet", "mnist", 1500)
    assert lenet.metrics == {
        "train/epoch_loss": [(0, 1500, 0.5)],
        "validation/epoch_loss": [(0, 1500, 0.75)],
    }
    assert (mlp.name, mlp.run_id, mlp.metrics) == ("deep_mlp", "deep/mlp", {})
    assert mlp.notes == ["its event file ends within a record, whose point is left out."]


def test_read_logs_of_one_run_has_the_name_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "my run"
    folder.mkdir()
    (folder / FILE).write_bytes(scalar("loss", 0, simple(0.5)))
    [run] = read_logs(folder, None)
    assert (run.name, list(run.metrics)) == ("my run", ["loss"])
