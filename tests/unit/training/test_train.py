"""Training command: interruption, resumption and unknown names."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

EXPERIMENT = """
learning_rate = 0.05
momentum = 0.9
epochs = 20
batch_size = 8
seed = 3

[architecture]
name = "mlp"
hidden = [256, 256]
dropout = 0.2
"""


def start_command(folder: Path, mnist_path: Path, work: str) -> subprocess.Popen[str]:
    options = [
        "--experiments",
        folder,
        "--models",
        folder / work / "models",
        "--data-csv",
        folder / work / "data.csv",
    ]
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "training.train",
            *map(str, options),
            "--work",
            str(folder / work / "train"),
        ],
        env=os.environ | {"MNIST_PATH": str(mnist_path)},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_command_resumed_after_sigterm_publishes_same_rows(
    tmp_path: Path, mnist_path: Path
) -> None:
    (tmp_path / "mnist_experiment_1__a.toml").write_text(EXPERIMENT)
    straight = start_command(tmp_path, mnist_path, "straight")
    stopped = start_command(tmp_path, mnist_path, "stopped")
    first_checkpoint = tmp_path / "stopped" / "train" / "mnist_experiment_1__a" / "checkpoint.npz"
    deadline = time.monotonic() + 60
    while not first_checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    stopped.send_signal(signal.SIGTERM)
    output = stopped.communicate(timeout=60)[1]
    assert (stopped.returncode, "resumes" in output) == (130, True), output
    assert not (tmp_path / "stopped" / "data.csv").exists()
    again = start_command(tmp_path, mnist_path, "stopped")
    for process in (straight, again):
        output = process.communicate(timeout=60)[1]
        assert process.returncode == 0, output
    tables = [
        [
            {key: value for key, value in row.items() if key not in ("Trained At", "Seconds")}
            for row in csv.DictReader((tmp_path / work / "data.csv").read_text().splitlines())
        ]
        for work in ("straight", "stopped")
    ]
    assert tables[0] == tables[1]
    assert [path.name for path in (tmp_path / "stopped" / "train").iterdir()] == ["lock"]
    assert (tmp_path / "stopped" / "models" / "mnist_experiment_1__a" / "card.json").exists()


def test_command_unknown_name_fails_without_training(tmp_path: Path) -> None:
    (tmp_path / "mnist_experiment_1__a.toml").write_text(EXPERIMENT)
    done = subprocess.run(
        [sys.executable, "-m", "training.train", "--experiments", str(tmp_path), "nope"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "error: unknown experiment: nope\n")


def test_command_names_a_file_it_cannot_merge_before_training(
    tmp_path: Path, mnist_path: Path
) -> None:
    (tmp_path / "mnist_experiment_1__a.toml").write_text(EXPERIMENT)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "data.csv").write_text("Experiment Name;Seed\nmine;1\n")
    process = start_command(tmp_path, mnist_path, "here")
    output = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert output.startswith(f"error: {tmp_path}/here/data.csv cannot take new rows")
    assert not (tmp_path / "here" / "train").exists()
