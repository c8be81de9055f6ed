"""Results table: predictions of many images as a Parquet file with the same bytes on every run."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.scale.chunk import NO_LABEL, ChunkScores
from pipeline.scale.scored_images import ScoredImages
from pipeline.scale.scored_models import ScoredModel

ROW_GROUP = 65_536  # rows
METADATA = b"mlops"  # key of the description in the file's metadata


def write_table(
    path: Path,
    images: ScoredImages,
    models: Sequence[ScoredModel],
    scores: ChunkScores,
    description: Mapping[str, Any],
) -> None:
    """Write a row per image.

    The columns are `key` and `error` (of a prefix), `image_digest`, `label` (null if unknown), and
    for each model `NAME@VERSION:label` and `NAME@VERSION:confidence`, null for an unreadable image
    or an output that is not finite. `scores` has a column for each image. Raises OSError.
    """
    columns: dict[str, pa.Array] = {}
    if images.keys is not None:
        columns["key"] = pa.array(images.keys, pa.string())
    columns["image_digest"] = pa.array(images.digests, pa.string())
    columns["label"] = pa.array(images.labels, pa.string())
    if images.errors is not None:
        columns["error"] = pa.array(images.errors, pa.string())
    for model, indexes, confidences in zip(models, scores.labels, scores.confidences, strict=True):
        is_missing = indexes == NO_LABEL
        columns[f"{model.column}:label"] = _labels(indexes, is_missing, model.labels)
        columns[f"{model.column}:confidence"] = pa.array(confidences, pa.float32(), mask=is_missing)
    metadata = {METADATA: json.dumps(description, sort_keys=True).encode()}
    table = pa.table(columns).replace_schema_metadata(metadata)
    pq.write_table(
        table,
        path,
        row_group_size=ROW_GROUP,
        version="2.6",
        compression="zstd",
        compression_level=3,
    )


def _labels(
    indexes: NDArray[np.int16], is_missing: NDArray[np.bool_], classes: Sequence[str]
) -> pa.Array:
    numbers = pa.array(indexes, pa.int16(), mask=is_missing)
    return pa.DictionaryArray.from_arrays(numbers, pa.array(classes)).cast(pa.string())
