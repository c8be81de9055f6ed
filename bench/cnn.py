"""`python -m bench.cnn FILE`: write the CNN of 1.2 million parameters as a Keras file.

A process of its own: TensorFlow is large.
"""

import sys

import keras

SEED = 0


def main() -> None:
    """Build and save it, with weights of seeded chance."""
    keras.utils.set_random_seed(SEED)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.save(sys.argv[1])


if __name__ == "__main__":
    main()
