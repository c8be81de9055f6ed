"""Tables and descriptions of the Models page: versions, parity, input, size and alias moves."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from web.data.api_types import AliasMove, ModelVersion
from web.data.monitoring.replicas import Served
from web.formatting import format_size, pluralize

STATES = {"READY": "Ready", "LOADING": "Loading", "FAILED": "Failed", "NO_MODEL": "No model"}
CHAMPION = "champion"
CHAMPION_STAR = "\N{BLACK STAR}"
# LiteRT and Keras compute in float32 in a different order. The card's limit for equal results is
# in inference/model_format/card.py.
MAX_ABS_DIFFERENCE = 1e-5
MAX_PIXEL = 255.0
INPUT_DEFAULTS = {"offset": 0.0, "fit": "resize", "transpose": False, "channels": 1}


def sort_versions(versions: Sequence[ModelVersion]) -> list[ModelVersion]:
    """Return the versions by task and accuracy, best first; of one model the newest first."""
    return sorted(
        versions,
        key=lambda version: (
            version.task,
            -(version.test_accuracy or 0),
            version.name,
            -version.version,
        ),
    )


def find_version(name: str, versions: Sequence[ModelVersion]) -> ModelVersion | None:
    """Return the version with this name (NAME or NAME@2), None without one."""
    return next(
        (version for version in versions if name in (version.short_name, version.pinned_name)),
        None,
    )


def version_table(
    versions: Sequence[ModelVersion],
    alerts: Mapping[str, str] | None = None,
    served: Served | None = None,
) -> pd.DataFrame:
    """Return one row per version, in their order.

    Args:
        versions: the versions.
        alerts: severity of the open alert by pinned name.
        served: versions that the replicas serve.

    Returns:
        model, version, alert (a list), aliases, state, replicas, task, test_accuracy and probe
        (percent), parity, size (kB).

    """
    severity = alerts or {}
    replicas = served or Served()
    return pd.DataFrame(
        {
            "model": [version.name for version in versions],
            "version": [version.version for version in versions],
            "alert": [
                [severity[version.pinned_name].capitalize()]
                if version.pinned_name in severity
                else []
                for version in versions
            ],
            "aliases": [_join_aliases(version.aliases) for version in versions],
            "state": [STATES.get(version.state, version.state) for version in versions],
            "replicas": [
                replicas.describe(version.name, version.version, version.digest)
                for version in versions
            ],
            "task": [version.task for version in versions],
            "test_accuracy": pd.Series(
                [
                    None if version.test_accuracy is None else version.test_accuracy * 100
                    for version in versions
                ],
                dtype="float64",
            ),
            "probe": pd.Series(
                [
                    version.probe["accuracy"] * 100
                    if version.probe and version.probe["accuracy"] is not None
                    else None
                    for version in versions
                ],
                dtype="float64",
            ),
            "parity": [parity_status(version.parity) for version in versions],
            "size": pd.Series(
                [None if version.bytes is None else version.bytes / 1000 for version in versions],
                dtype="float64",
            ),
        }
    )


def _join_aliases(aliases: Sequence[str]) -> str:
    return ", ".join(
        f"{CHAMPION_STAR} champion" if alias == CHAMPION else alias for alias in aliases
    )


def alias_move_table(moves: Sequence[AliasMove], run_of: Mapping[int, int]) -> pd.DataFrame:
    """Return one row per move, in their order: at, to, from, moved_by, reason, run (a link).

    Args:
        moves: the moves.
        run_of: run of the pipeline by event id of its move.

    """
    return pd.DataFrame(
        {
            "at": pd.Series([move.at for move in moves], dtype="datetime64[ns, UTC]"),
            "to": [f"{move.experiment}@{move.version}" for move in moves],
            "from": [
                None
                if move.from_experiment is None
                else f"{move.from_experiment}@{move.from_version}"
                for move in moves
            ],
            "moved_by": [move.moved_by for move in moves],
            "reason": [move.reason for move in moves],
            "run": [
                f"pipelines?run={run_of[move.event_id]}" if move.event_id in run_of else None
                for move in moves
            ],
        }
    )


def parity_status(parity: Mapping[str, Any] | None) -> str:
    """Return the parity of LiteRT and Keras in a table cell."""
    if parity is None or not parity["images"]:
        return "Not compared"
    limit = parity.get("limit", MAX_ABS_DIFFERENCE)
    is_same = parity["equal_argmax"] and parity["max_abs_difference"] <= limit
    return "Matches" if is_same else "Differs"


def describe_parity(parity: Mapping[str, Any] | None) -> str:
    """Describe how the served LiteRT model compares with its Keras model."""
    if parity is None or not parity["images"]:
        return "Not compared with its Keras model."
    status = "LiteRT matches Keras" if parity_status(parity) == "Matches" else "LiteRT differs"
    labels = "same labels" if parity["equal_argmax"] else "different labels"
    images = pluralize(parity["images"], "image")
    difference = f"probabilities differ by up to {parity['max_abs_difference']:.1g}"
    return f"{status}: {labels} on {images}, {difference}."


def describe_probe(version: ModelVersion) -> str:
    """Describe how many digits with known labels a version reads."""
    return "Not read yet." if version.probe is None else f"{version.probe['sentence']}."


def describe_probe_warning(version: ModelVersion) -> str | None:
    """Describe why a version probably has a wrong card and how to correct it, None if not."""
    if version.probe is None or not version.probe["warning"]:
        return None
    best = version.probe["best"]
    if best is None:
        return (
            f"{describe_probe(version)} Its card may state a wrong input or a wrong order of the"
            " classes, or a test accuracy that this file does not have."
        )
    keys = {"input": best["input"], "classes": best["classes"]}
    card = json.dumps({key: value for key, value in keys.items() if value})
    return f"{describe_probe(version)} Add {card} to its card.json."


def describe_input(version: ModelVersion) -> str:
    """Describe the input and the output of a version."""
    spec = {**INPUT_DEFAULTS, **version.input_spec}
    colors = "Black digit on white" if spec["invert"] else "White digit on black"
    low, high = spec["offset"], MAX_PIXEL * spec["scale"] + spec["offset"]
    values = f"{low:g} to {high:g}" if spec["offset"] else f"0-{high:g}"
    output = (
        "probabilities"
        if version.output == "probabilities"
        else "logits (the service converts them to probabilities)"
    )
    size = f"{spec['height']} x {spec['width']}"
    if spec["channels"] > 1:
        size += f" x {spec['channels']}"
    size += " float32" + " padded" * (spec["fit"] == "pad") + " transposed" * spec["transpose"]
    return f"{colors}, {values}, {size}. Output: {len(version.classes)} {output}."


def describe_size(version: ModelVersion) -> str:
    """Describe the size of a version on disk and in memory."""
    disk = "Unknown size" if version.bytes is None else f"{format_size(version.bytes)} on disk"
    if version.memory_bytes:
        return f"{disk}, {format_size(version.memory_bytes)} in memory"
    return f"{disk}, loaded on the first request"


def reconcile(
    experiments: Collection[str], versions: Sequence[ModelVersion]
) -> tuple[list[str], list[str]]:
    """Return the experiments without a model and the models without an experiment.

    Experiments keep their order, models are sorted by name.
    """
    names = {version.name for version in versions}
    known = set(experiments)
    return [name for name in experiments if name not in names], sorted(names - known)
