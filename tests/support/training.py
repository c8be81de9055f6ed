"""Small training inputs: an experiment, drawn digits and one small model per architecture."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training import run
from training.architectures import Cnn, DeepCnn, LeNet5, Mlp, SoftmaxRegression
from training.dataset import Dataset
from training.experiment import Experiment
from training.provenance import Provenance

ORIGIN = Provenance("a" * 64, "b" * 64, "3", "2")
SMALL = Experiment(
    # Dropout and batch normalization both have internal state.
    name="mnist_experiment_1__small",
    architecture=DeepCnn((4, 8), dropout=0.2),
    learning_rate=0.1,
    momentum=0.9,
    epochs=3,
    batch_size=16,
    seed=5,
    schedule="cosine",
    augment=True,
    weight_decay=0.001,
)
FAST = replace(SMALL, architecture=Mlp((16,), dropout=0.1), augment=False)
SMALL_ARCHITECTURES = (
    SoftmaxRegression(),
    Mlp((8,), "sigmoid", 0.1),
    LeNet5("tanh"),
    Cnn((2, 4), 8, 0.1),
    DeepCnn((2, 4, 4), 0.1),
)


def draw_digits(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    font = ImageFont.load_default(size=20)
    images = []
    for index in range(count):
        image = Image.new("L", (28, 28))
        ImageDraw.Draw(image).text(
            tuple(rng.uniform(4, 10, 2)), str(index % 10), fill=255, font=font
        )
        images.append(np.asarray(image))
    return np.stack(images), (np.arange(count) % 10).astype(np.uint8)


def train(experiment: Experiment, data: Dataset, folder: Path) -> run.Run:
    return run.train(experiment, data, folder / "checkpoint.npz", "f", lambda _: None)


def train_exploding(data: Dataset, folder: Path) -> run.Run:
    # The weight decay overshoots: each step multiplies the weights by -9 until they overflow.
    return train(
        replace(FAST, schedule="constant", learning_rate=1.0, momentum=0.0, weight_decay=10.0),
        data,
        folder,
    )


def write_split_dataset(
    path: Path, count: int = 360, classes: tuple[str, ...] = tuple("0123456789")
) -> Path:
    """Write drawn digits in the layout of training.split_dataset: every sixth one validates."""
    (x_train, y_train), (x_test, y_test) = draw_digits(count, seed=1), draw_digits(60, seed=2)
    np.savez(
        path,
        x_train=x_train,
        y_train=(y_train % len(classes)).astype(np.uint8),
        split=(np.arange(count) % 6 == 5).astype(np.uint8),
        x_test=x_test,
        y_test=(y_test % len(classes)).astype(np.uint8),
        classes=np.array(classes),
    )
    return path
