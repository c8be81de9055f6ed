"""Event files that TensorFlow wrote."""

import subprocess
import sys
from pathlib import Path

import pytest

from run_import.sources.event_file import Events, read_events

# A process of its own: TensorFlow stays out of that of the tests.
WRITE = """
import sys
import tensorflow as tf

with tf.summary.create_file_writer(sys.argv[1]).as_default():
    for step in range(3):
        tf.summary.write("loss", tf.constant(1 / 2**step), step=step)
        tf.summary.write("count", tf.constant(step, tf.int64), step=step)
        tf.summary.write("vector", tf.constant([1.0, 2.0]), step=step)
        tf.summary.write("text", tf.constant("hello"), step=step)
"""


@pytest.mark.slow
def test_scalars_of_tensorflow_are_read(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", WRITE, str(tmp_path)], check=True, capture_output=True)
    [path] = tmp_path.iterdir()
    events = Events()
    read_events(path, events)
    found = {tag: [(step, value) for step, _, value in p] for tag, p in events.scalars.items()}
    assert found == {
        "loss": [(0, 1.0), (1, 0.5), (2, 0.25)],
        "count": [(0, 0.0), (1, 1.0), (2, 2.0)],
    }
    assert all(time > 1.7e12 for points in events.scalars.values() for _, time, _ in points)
