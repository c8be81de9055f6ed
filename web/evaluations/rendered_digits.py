"""Rendered digits: a labeled set drawn with a font, always the same."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from web.evaluations.labeled_set import LabeledSet, encode_png, make_set

NAME = "rendered digits"
IMAGES_PER_DIGIT = 50
SIDE = 64
SEED = 28


def rendered_digits(images_per_digit: int = IMAGES_PER_DIGIT) -> LabeledSet:
    """Render digits with Pillow's font, rotated, slanted, thickened, blurred and noisy.

    They are not handwriting: the accuracy shows how a model does on data unlike its training data.
    """
    random = np.random.default_rng(SEED)
    images, labels = [], []
    for digit in range(10):
        for _ in range(images_per_digit):
            images.append(encode_png(_render(str(digit), random)))
            labels.append(str(digit))
    return make_set(NAME, images, labels)


def _render(text: str, random: np.random.Generator) -> Image.Image:
    font = ImageFont.load_default(size=int(random.integers(36, 50)))
    image = Image.new("L", (SIDE, SIDE), 0)
    ImageDraw.Draw(image).text(
        (SIDE / 2, SIDE / 2),
        text,
        fill=255,
        font=font,
        anchor="mm",
        stroke_width=int(random.integers(0, 4)),
        stroke_fill=255,
    )
    image = image.rotate(float(random.uniform(-15, 15)), Image.Resampling.BICUBIC)
    slant = float(random.uniform(-0.25, 0.25))
    image = image.transform(
        (SIDE, SIDE),
        Image.Transform.AFFINE,
        (1, slant, -slant * SIDE / 2, 0, 1, 0),
        Image.Resampling.BICUBIC,
    )
    width = int(SIDE * random.uniform(0.75, 1.1))
    resized = image.resize((width, SIDE))
    image = Image.new("L", (SIDE, SIDE), 0)
    image.paste(resized, ((SIDE - width) // 2, 0))
    pixels = np.asarray(image, dtype=np.float64) * random.uniform(0.75, 1.0)
    noisy = pixels + random.normal(0, 6, (SIDE, SIDE))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
