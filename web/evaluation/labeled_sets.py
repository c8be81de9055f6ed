"""Sets of labelled images.

Digits that this module renders, those of a person's zip file, and MNIST's where it is at hand.

Nothing here knows Streamlit, and nothing is ever written to a disk.
"""

import csv
import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageDraw, ImageFont

RENDERED_PER_DIGIT = 50
RENDERED_SIDE = 64
RENDERED_SEED = 28

MAX_FILES = 2000
MAX_FILE_BYTES = 2 * 2**20
MAX_TOTAL_BYTES = 64 * 2**20
MAX_LABEL = 64
LABELS_FILE = "labels.csv"
# The formats of inference/preprocessing/decoding.py.
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
# What archivers add of their own, not worth a word.
JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
EVEN, ODD = "even", "odd"
DIGITS = frozenset("0123456789")


class InvalidSetError(Exception):
    """There is no set to be had from this file; the message says why and what would do."""


@dataclass(frozen=True)
class Skipped:
    """A file of a zip that is no part of the set, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class LabeledSet:
    """Images with their true labels.

    Attributes:
        name: what it is called on the page.
        images: the bytes of N image files.
        labels: the N true labels.
        digest: sha256 (hex) of labels and images in their order: equal for equal sets, whatever
        they are called.
        skipped: what of a zip was left out.

    """

    name: str
    images: tuple[bytes, ...]
    labels: tuple[str, ...]
    digest: str
    skipped: tuple[Skipped, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many images of each label there are."""
        return dict(sorted(Counter(self.labels).items()))


def make_set(
    name: str, images: Iterable[bytes], labels: Iterable[str], skipped: Iterable[Skipped] = ()
) -> LabeledSet:
    """Return the set of these images with their labels, in this order."""
    images, labels = tuple(images), tuple(labels)
    digest = hashlib.sha256()
    for image, label in zip(images, labels, strict=True):
        digest.update(hashlib.sha256(image).digest() + label.encode() + b"\0")
    return LabeledSet(name, images, labels, digest.hexdigest(), tuple(skipped))


def fit(labelled: LabeledSet, classes: Collection[str]) -> LabeledSet | None:
    """Return the set with labels that are classes of a model, None if there is no telling how.

    A model that tells even from odd takes digits by their parity. Its images stay what they are,
    its digest becomes that of the new labels.
    """
    if set(labelled.labels) <= set(classes):
        return labelled
    if set(classes) == {EVEN, ODD} and set(labelled.labels) <= DIGITS:
        by_parity = make_set(
            labelled.name,
            labelled.images,
            ((EVEN, ODD)[int(label) % 2] for label in labelled.labels),
        )
        return replace(by_parity, skipped=labelled.skipped)
    return None


def rendered_digits(per_digit: int = RENDERED_PER_DIGIT) -> LabeledSet:
    """Render digits with the font that Pillow brings, turned, slanted, thickened, blurred by
    scaling and noisy; always the same.

    They are no handwriting: a model's accuracy on them says how it fares on something else than
    what it has learnt.
    """
    random = np.random.default_rng(RENDERED_SEED)
    images, labels = [], []
    for digit in range(10):
        for _ in range(per_digit):
            images.append(_png(_render(str(digit), random)))
            labels.append(str(digit))
    return make_set("rendered digits", images, labels)


def _render(text: str, random: np.random.Generator) -> Image.Image:
    side = RENDERED_SIDE
    font = ImageFont.load_default(size=int(random.integers(36, 50)))
    paper = Image.new("L", (side, side), 0)
    ImageDraw.Draw(paper).text(
        (side / 2, side / 2),
        text,
        fill=255,
        font=font,
        anchor="mm",
        stroke_width=int(random.integers(0, 4)),
        stroke_fill=255,
    )
    paper = paper.rotate(float(random.uniform(-15, 15)), Image.Resampling.BICUBIC)
    slant = float(random.uniform(-0.25, 0.25))
    paper = paper.transform(
        (side, side),
        Image.Transform.AFFINE,
        (1, slant, -slant * side / 2, 0, 1, 0),
        Image.Resampling.BICUBIC,
    )
    width = int(side * random.uniform(0.75, 1.1))
    squeezed = paper.resize((width, side))
    paper = Image.new("L", (side, side), 0)
    paper.paste(squeezed, ((side - width) // 2, 0))
    noisy = np.asarray(paper, dtype=np.float64) * random.uniform(0.75, 1.0) + random.normal(
        0, 6, (side, side)
    )
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def mnist_test_set(path: Path, images: int) -> LabeledSet:
    """Return the first images of MNIST's test set.

    Args:
        path: an .npz with x_test (uint8, N x 28 x 28) and y_test (N integers of 0 to 9).
        images: how many, at most N.

    Raises:
        InvalidSetError: the file is missing or is something else.

    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            pixels, digits = arrays["x_test"][:images], arrays["y_test"][:images]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InvalidSetError(
            f"{path} of MNIST_PATH is no .npz with x_test and y_test: {error}"
        ) from error
    # N x 28 x 28
    if pixels.ndim != 3 or pixels.dtype != np.uint8 or len(pixels) != len(digits):  # noqa: PLR2004
        raise InvalidSetError(
            f"x_test of {path} must be uint8 of N x 28 x 28, and y_test of N labels."
        )
    return make_set(
        f"MNIST {len(pixels):,}",
        (_png(Image.fromarray(image)) for image in pixels),
        map(str, digits.tolist()),
    )


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def read_zip(name: str, data: bytes) -> LabeledSet:
    """Return the set that a person's zip file holds.

    Images in folders named by their labels, or with a labels.csv.

    labels.csv has the columns file and label; the files are found by their path in the zip beside
    it. At most 2,000 files of 2 MB, 64 MB together, counted while they are unpacked. What is left
    out is said in `skipped`.

    Raises:
        InvalidSetError: no zip, too much in it, or nothing that can be used.

    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read(name, archive)
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        EOFError,
        UnicodeDecodeError,
    ) as error:
        raise InvalidSetError(f"{name} is no zip file that can be read: {error}") from error


def _read(name: str, archive: zipfile.ZipFile) -> LabeledSet:
    entries = [
        entry
        for entry in archive.infolist()
        if not entry.is_dir() and not set(PurePosixPath(entry.filename).parts) & set(JUNK)
    ]
    if len(entries) > MAX_FILES + 1:
        raise InvalidSetError(
            f"{name} holds {len(entries):,} files; at most {MAX_FILES:,} images are evaluated at once."
        )
    unpacker = _Unpacker(archive)
    tables = [entry for entry in entries if PurePosixPath(entry.filename).name == LABELS_FILE]
    if len(tables) > 1:
        raise InvalidSetError(f"{name} holds several {LABELS_FILE}; it must be one.")
    table = _labels(unpacker, tables[0]) if tables else None
    images, labels, skipped = [], [], []
    for entry in entries:
        if entry in tables:
            continue
        try:
            label = _label(entry.filename, table)
            images.append(unpacker.unpack(entry))
            labels.append(label)
        except _InvalidMemberError as reason:
            skipped.append(Skipped(entry.filename, str(reason)))
    if table is not None:
        present = {entry.filename for entry in entries}
        skipped += [
            Skipped(file, f"{LABELS_FILE} names it, but the zip does not hold it.")
            for file in table
            if file not in present
        ]
    if not images:
        why = f" The first file: {skipped[0].file}: {skipped[0].reason}" if skipped else ""
        raise InvalidSetError(
            f"{name} holds no labelled image. Put images into folders named by their labels, or add {LABELS_FILE}.{why}"
        )
    return make_set(name, images, labels, skipped)


class _InvalidMemberError(Exception):
    """Why a file of the zip is left out."""


class _Unpacker:
    """Unpacks files, and counts what comes out: what a zip says of its sizes may be a lie."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._left = MAX_TOTAL_BYTES

    def unpack(self, entry: zipfile.ZipInfo) -> bytes:
        if entry.flag_bits & 1:
            raise _InvalidMemberError("It is encrypted.")
        try:
            with self._archive.open(entry) as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except (
            zipfile.BadZipFile,
            NotImplementedError,
            RuntimeError,
            EOFError,
            OSError,
            ValueError,
        ) as error:
            raise _InvalidMemberError(f"It cannot be unpacked: {error}") from error
        except Exception as error:  # a decompressor may raise an error of its own, as zlib.error
            raise _InvalidMemberError("It cannot be unpacked.") from error
        if len(content) > MAX_FILE_BYTES:
            raise _InvalidMemberError("It is larger than 2 MB.")
        self._left -= len(content)
        if self._left < 0:
            raise InvalidSetError(
                "The files of the zip take more than 64 MB together; evaluate them in parts."
            )
        return content


def _labels(unpacker: _Unpacker, entry: zipfile.ZipInfo) -> Mapping[str, str]:
    """Return the label of each file by its path in the zip, of which the table names the part
    behind its own folder.
    """
    folder = str(PurePosixPath(entry.filename).parent)
    prefix = "" if folder == "." else folder + "/"
    try:
        rows = list(csv.DictReader(io.StringIO(unpacker.unpack(entry).decode("utf-8-sig"))))
    except (_InvalidMemberError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidSetError(f"{LABELS_FILE} cannot be read: {error}") from error
    if not rows or not {"file", "label"} <= set(rows[0]):
        raise InvalidSetError(
            f"{LABELS_FILE} must have the columns file and label, and a row for each image."
        )
    return {prefix + (row["file"] or ""): (row["label"] or "").strip() for row in rows}


def _label(file: str, table: Mapping[str, str] | None) -> str:
    path = PurePosixPath(file)
    if path.suffix.lower() not in SUFFIXES:
        raise _InvalidMemberError(f"It is no image: {', '.join(SUFFIXES)} are.")
    if table is None:
        if len(path.parts) < 2:  # noqa: PLR2004  # a folder and a file
            raise _InvalidMemberError("It is in no folder that would be its label.")
        label = path.parts[-2]
    else:
        if file not in table:
            raise _InvalidMemberError(f"{LABELS_FILE} does not name it.")
        label = table[file]
    if not 1 <= len(label) <= MAX_LABEL or not label.isprintable():
        raise _InvalidMemberError(
            f"Its label must be 1 to {MAX_LABEL} characters that can be printed."
        )
    return label


def foreign(labelled: LabeledSet, classes: Sequence[str]) -> list[str]:
    """Return the labels of a set that a model cannot give, in order."""
    return sorted(set(labelled.labels) - set(classes))
