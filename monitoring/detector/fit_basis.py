"""Command that fits the PCA basis of a task on training images.

    python -m monitoring.detector.fit_basis mnist mnist.npz

The file has the layout of keras.datasets.mnist. The first 10,000 training images are used: test
images must stay unseen, and more images change the basis little.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from monitoring.detector.basis import BASES, Basis, write_basis

IMAGES = 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return 0, or 1 if the file cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m monitoring.detector.fit_basis")
    parser.add_argument("task", help="task, such as mnist")
    parser.add_argument("file", type=Path, help="npz file with x_train")
    parser.add_argument("--out", type=Path, default=BASES, help="directory of the bases")
    options = parser.parse_args(arguments)
    try:
        with np.load(options.file, allow_pickle=False) as arrays:
            images = arrays["x_train"][:IMAGES]
    except (OSError, ValueError, KeyError) as error:
        print(f"{options.file} has no x_train: {error}. Name an mnist.npz.", file=sys.stderr)
        return 1
    basis = Basis.fit(images)
    path = options.out / f"{options.task}.npz"
    write_basis(basis, path)
    print(f"{path}: {len(images)} images, digest {basis.digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
