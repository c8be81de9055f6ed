"""Features of recent images against their reference, by predicted class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monitoring.detector import InvalidReferenceError, Observations, PathReference
from web.data.monitoring.types import RecentImages, Reference

Values = NDArray[np.float64]
SIDE = 28
BAND = (0.05, 0.25, 0.5, 0.75, 0.95)
# Share of the values outside of the band, where nothing has changed
EXPECTED_OUTSIDE = 0.1
MEANINGS = {
    "ink_share": "share of pixels from 128",
    "mean": "mean pixel value",
    "centroid_x": "center of the ink, pixels from the left",
    "centroid_y": "center of the ink, pixels from the top",
    "border": "mean of the outermost pixels",
    "peak": "largest pixel value",
    "lit": "share of pixels above 0",
    "grey": "share of the lit pixels from 32 to 223",
    "edge": "differences of neighboring pixels, relative to the ink",
    "width": "columns with ink, pixels",
    "height": "rows with ink, pixels",
    "slant": "slant of the strokes",
    "spread": "distance of the ink from its center, pixels",
    "row_gap": "deepest dent between two rows",
    "column_gap": "deepest dent between two columns",
    "pca_error": "part of the image that digits do not explain",
}


@dataclass(frozen=True)
class FeatureBands:
    """Features of N recent images, and quantiles of their reference by class.

    Attributes:
        names: of the F features.
        classes: labels of the K classes.
        bands: quantiles of the reference at BAND, F x K x 5.
        values: of the recent images, N x F.
        predicted: index of the predicted class of each image, N.

    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    bands: Values
    values: Values
    predicted: NDArray[np.int64]

    def outside(self) -> Values:
        """Return the share of the images outside of 5-95 % of their class, by feature."""
        if not len(self.predicted):
            return np.zeros(len(self.names))
        low = self.bands[:, self.predicted, 0].T
        high = self.bands[:, self.predicted, -1].T
        shares: Values = ((self.values < low) | (self.values > high)).mean(axis=0)
        return shares

    def recent(self, feature: int) -> list[list[float] | None]:
        """Return the quantiles of the recent images at BAND by class, None for a class without."""
        quantiles: list[list[float] | None] = []
        for index in range(len(self.classes)):
            own = self.values[self.predicted == index, feature]
            quantiles.append(np.quantile(own, BAND).tolist() if len(own) else None)
        return quantiles


def feature_bands(reference: Reference, recent: RecentImages) -> FeatureBands | None:
    """Return the features of recent images against their reference.

    None for a reference that this version of the dashboard cannot read.
    """
    try:
        known = PathReference.from_json(reference.sketch)
    except InvalidReferenceError:
        return None
    index_of = {label: index for index, label in enumerate(reference.classes)}
    labels = np.array([index_of.get(label, -1) for label in recent.labels], np.int64)
    pixels = np.frombuffer(recent.pixels, np.uint8).reshape(-1, SIDE, SIDE)
    is_known = labels >= 0
    predicted, pixels = labels[is_known], pixels[is_known]
    count = len(predicted)
    observations = Observations(
        pixels, predicted, np.zeros((count, known.classes), np.float32), np.zeros(count)
    )
    bands = np.stack([_quantiles(known, name) for name in known.feature_names])
    return FeatureBands(
        known.feature_names,
        reference.classes,
        bands,
        known.input_values(observations),
        predicted,
    )


def feature_table(bands: FeatureBands) -> pd.DataFrame:
    """Return one row per feature, the most unusual first: feature, meaning, outside (percent)."""
    table = pd.DataFrame(
        {
            "feature": list(bands.names),
            "meaning": [MEANINGS.get(name, "") for name in bands.names],
            "outside": bands.outside() * 100,
            "reference": np.median(bands.bands[:, :, 2], axis=1),
            "recent": np.median(bands.values, axis=0) if len(bands.values) else np.nan,
        }
    )
    return table.sort_values("outside", ascending=False, kind="stable").reset_index(drop=True)


def most_unusual(bands: FeatureBands, changed: Sequence[str]) -> str:
    """Return the first changed feature that the bands have, else the most unusual one."""
    known = [name for name in changed if name in bands.names]
    return known[0] if known else bands.names[int(np.argmax(bands.outside()))]


def _quantiles(reference: PathReference, name: str) -> Values:
    """Return the quantiles of a feature at BAND, K x 5."""
    outer, inner = reference.band(name, BAND[0], BAND[4]), reference.band(name, BAND[1], BAND[3])
    middle = reference.band(name, BAND[2], BAND[2])[:, :1]
    columns = [outer[:, :1], inner[:, :1], middle, inner[:, 1:], outer[:, 1:]]
    return np.concatenate(columns, axis=1)
