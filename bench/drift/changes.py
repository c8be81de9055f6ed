"""Changes: functions that turn ordinary digits into those of a drift, by its name."""

import io
import string
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

Images = NDArray[np.uint8]
Change = Callable[[Images, np.random.Generator], Images]

SIDE = 28
FONT_SIZE = (16, 23)  # points, from and to
CENTER = (SIDE - 1) / 2


def _whole(values: NDArray[np.floating]) -> Images:
    whole: Images = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return whole


def noise(deviation: float) -> Change:
    """Add normal noise."""
    return lambda images, rng: _whole(images + rng.normal(0, deviation, images.shape))


def gamma(power: float) -> Change:
    """Darken the midtones."""
    return lambda images, _: _whole(255 * (images / 255.0) ** power)


def contrast(factor: float) -> Change:
    """Weaken the ink."""
    return lambda images, _: _whole(images * factor)


def blur(deviation: float) -> Change:
    """Blur with a Gaussian of some pixels."""
    return lambda images, _: _whole(
        ndimage.gaussian_filter(images.astype(np.float64), (0, deviation, deviation))
    )


def _affine(matrix: NDArray[np.float64]) -> Change:
    center = np.full(2, CENTER)
    offset = center - matrix @ center

    def change(images: Images, _: np.random.Generator) -> Images:
        moved = [
            ndimage.affine_transform(image.astype(np.float64), matrix, offset, order=1)
            for image in images
        ]
        return _whole(np.stack(moved))

    return change


def rotation(degrees: float) -> Change:
    """Rotate about the center."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return _affine(np.array([[cosine, -sine], [sine, cosine]]))


def scale(factor: float) -> Change:
    """Enlarge or shrink about the center."""
    return _affine(np.eye(2) / factor)


def slant(factor: float) -> Change:
    """Shear to the right."""
    return _affine(np.array([[1.0, 0.0], [factor, 1.0]]))


def shift(rows: int, columns: int) -> Change:
    """Move by whole pixels."""
    return lambda images, _: np.roll(images, (rows, columns), (1, 2))


def jpeg(quality: int) -> Change:
    """Save as JPEG and read again."""

    def change(images: Images, _: np.random.Generator) -> Images:
        out = np.empty_like(images)
        for index, image in enumerate(images):
            file = io.BytesIO()
            Image.fromarray(image).save(file, "JPEG", quality=quality)
            out[index] = np.asarray(Image.open(file))
        return out

    return change


def salt(images: Images, rng: np.random.Generator) -> Images:
    """Set 2 % of the pixels to 255."""
    return np.where(rng.random(images.shape) < 0.02, np.uint8(255), images)  # noqa: PLR2004


def static(images: Images, rng: np.random.Generator) -> Images:
    """Replace the images by uniform noise."""
    return rng.integers(0, 256, images.shape, np.uint8)


def blank(images: Images, _: np.random.Generator) -> Images:
    """Replace the images by almost black ones: one pixel of each keeps them distinct."""
    out = np.zeros_like(images)
    numbers = np.arange(len(images))
    out[numbers, numbers // SIDE % SIDE, numbers % SIDE] = 1 + numbers // SIDE**2
    return out


def thicker(images: Images, _: np.random.Generator) -> Images:
    """Widen the strokes by a pixel."""
    return np.asarray(ndimage.grey_dilation(images, (1, 2, 2)), np.uint8)


def thinner(images: Images, _: np.random.Generator) -> Images:
    """Narrow the strokes by a pixel."""
    return np.asarray(ndimage.grey_erosion(images, (1, 2, 2)), np.uint8)


def two_levels(images: Images, _: np.random.Generator) -> Images:
    """Make each pixel black or white."""
    return np.where(images >= 128, np.uint8(255), np.uint8(0))  # noqa: PLR2004


def mirrored(images: Images, _: np.random.Generator) -> Images:
    """Exchange left and right."""
    return np.ascontiguousarray(images[:, :, ::-1])


def dead_row(images: Images, _: np.random.Generator) -> Images:
    """Lose one row in the middle."""
    out = images.copy()
    out[:, 14] = 0
    return out


def dead_column(images: Images, _: np.random.Generator) -> Images:
    """Lose one column in the middle."""
    out = images.copy()
    out[:, :, 14] = 0
    return out


def occluded(images: Images, rng: np.random.Generator) -> Images:
    """Cover a square of 8x8 pixels around the digit."""
    out = images.copy()
    for image, (row, column) in zip(out, rng.integers(6, 15, (len(images), 2)), strict=True):
        image[row : row + 8, column : column + 8] = 0
    return out


def printed(characters: str) -> Change:
    """Replace the images by characters of a font, of different sizes, places and angles."""

    def change(images: Images, rng: np.random.Generator) -> Images:
        return np.stack([_draw(str(rng.choice(list(characters))), rng) for _ in images])

    return change


def _draw(character: str, rng: np.random.Generator) -> Images:
    image = Image.new("L", (SIDE, SIDE))
    font = ImageFont.load_default(size=float(rng.uniform(*FONT_SIZE)))
    at = tuple(rng.uniform(12.5, 15.5, 2).tolist())
    ImageDraw.Draw(image).text(at, character, fill=255, font=font, anchor="mm")
    rotated = image.rotate(float(rng.normal(0, 6)), Image.Resampling.BILINEAR)
    return np.asarray(rotated)


def gradually(change: Callable[[float], Change], steps: int) -> Change:
    """Let a change grow from nothing to full strength over the first `steps` images."""

    def apply(images: Images, rng: np.random.Generator) -> Images:
        out = [
            change(min((index + 1) / steps, 1.0))(image[None], rng)[0]
            for index, image in enumerate(images)
        ]
        return np.stack(out)

    return apply


def sometimes(change: Change, share: float) -> Change:
    """Apply a change to a share of the images, at random."""

    def apply(images: Images, rng: np.random.Generator) -> Images:
        is_changed = rng.random(len(images)) < share
        return np.where(is_changed[:, None, None], change(images, rng), images)

    return apply


def increasingly(change: Change, steps: int) -> Change:
    """Apply a change to a share of the images that grows to all over the first `steps`."""

    def apply(images: Images, rng: np.random.Generator) -> Images:
        shares = np.minimum((np.arange(len(images)) + 1) / steps, 1)
        is_changed = rng.random(len(images)) < shares
        return np.where(is_changed[:, None, None], change(images, rng), images)

    return apply


LETTERS = printed(string.ascii_letters.translate(str.maketrans("", "", "lIoOsSzZ")))
RARE, GRADUAL = 0.1, 300
CHANGES: dict[str, Change] = {
    "noise sd 10": noise(10),
    "noise sd 25": noise(25),
    "noise sd 50": noise(50),
    "salt": salt,
    "JPEG 75": jpeg(75),
    "JPEG 20": jpeg(20),
    "blur 0.5": blur(0.5),
    "blur 1": blur(1.0),
    "scale 0.75": scale(0.75),
    "scale 0.9": scale(0.9),
    "scale 1.2": scale(1.2),
    "thicker": thicker,
    "thinner": thinner,
    "contrast 0.9": contrast(0.9),
    "contrast 0.5": contrast(0.5),
    "two levels": two_levels,
    "blank": blank,
    "static": static,
    "mirrored": mirrored,
    "dead row": dead_row,
    "dead column": dead_column,
    "shift right 1": shift(0, 1),
    "shift down 3": shift(3, 0),
    "rotation 8": rotation(8),
    "rotation -8": rotation(-8),
    "rotation 15": rotation(15),
    "rotation -15": rotation(-15),
    "rotation 30": rotation(30),
    "rotation -30": rotation(-30),
    "slanted": slant(0.2),
    "occluded 8x8": occluded,
    "letters": LETTERS,
    "printed digits": printed(string.digits),
    "gamma 2": gamma(2),
    "noise, gradual": gradually(lambda part: noise(50 * part), GRADUAL),
    "rotation, gradual": gradually(lambda part: rotation(30 * part), GRADUAL),
    "contrast, gradual": gradually(lambda part: contrast(1 - 0.5 * part), GRADUAL),
    "blur, gradual": gradually(lambda part: blur(max(part, 0.01)), GRADUAL),
    "letters, gradual": increasingly(LETTERS, GRADUAL),
    "10 % noise": sometimes(noise(50), RARE),
    "10 % blank": sometimes(blank, RARE),
    "10 % rotated 30": sometimes(rotation(30), RARE),
    "10 % letters": sometimes(LETTERS, RARE),
}
