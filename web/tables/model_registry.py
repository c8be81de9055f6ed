"""What the page Models says of versions, their contracts and the code that asks them. Pure."""

import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import pandas as pd

from web.data.api_client import Move, Version
from web.formatting import count, size

STATES = {"READY": "Ready", "LOADING": "Loading", "FAILED": "Failed", "NO_MODEL": "No model"}
CHAMPION = "champion"
# Both compute in float32, in another order: what a card may claim as the same, see
# inference/model_format/card.py.
MAX_ABS_DIFFERENCE = 1e-5
PIXEL = 255.0


def order(versions: Sequence[Version]) -> list[Version]:
    """Return the versions by task, the most accurate first, those without an accuracy last.

    Of one name the newest first.
    """
    return sorted(
        versions, key=lambda each: (each.task, -(each.test_accuracy or 0), each.name, -each.version)
    )


def named(label: str, versions: Sequence[Version]) -> Version | None:
    """Return the version of this name; that which answers to a bare name has two."""
    return next((each for each in versions if label in (each.label, each.pinned)), None)


def version_table(versions: Sequence[Version]) -> pd.DataFrame:
    """Return a row per version in their order.

    Model, version, aliases, state, task, test_accuracy (percent), parity, size (kB).
    """
    return pd.DataFrame(
        {
            "model": [each.name for each in versions],
            "version": [each.version for each in versions],
            "aliases": [
                ", ".join(
                    "\N{BLACK STAR} champion" if alias == CHAMPION else alias
                    for alias in each.aliases
                )
                for each in versions
            ],
            "state": [STATES.get(each.state, each.state) for each in versions],
            "task": [each.task for each in versions],
            "test_accuracy": pd.Series(
                [
                    None if each.test_accuracy is None else each.test_accuracy * 100
                    for each in versions
                ],
                dtype="float64",
            ),
            "parity": [parity_word(each.parity) for each in versions],
            "size": pd.Series(
                [None if each.bytes is None else each.bytes / 1000 for each in versions],
                dtype="float64",
            ),
        }
    )


def move_table(moves: Sequence[Move]) -> pd.DataFrame:
    """Return a row per move in their order: at, to, from, moved_by, reason."""
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
        }
    )


def parity_word(parity: Mapping[str, Any] | None) -> str:
    """Say in a word whether LiteRT answers as Keras does."""
    if parity is None or not parity["images"]:
        return "not compared"
    return (
        "same"
        if parity["equal_argmax"] and parity["max_abs_difference"] <= MAX_ABS_DIFFERENCE
        else "differs"
    )


def parity_sentence(parity: Mapping[str, Any] | None) -> str:
    """Say how the LiteRT model that serves compares with the Keras model that was trained."""
    if parity is None or not parity["images"]:
        return "Nobody has compared it with its Keras model yet."
    labels = (
        "the same label for each of" if parity["equal_argmax"] else "not the same label for all of"
    )
    apart = f"probabilities differ by {parity['max_abs_difference']:.1g} at most"
    return f"LiteRT and Keras give {labels} {count(parity['images'], 'image')}; {apart}."


def contract_sentence(version: Version) -> str:
    """Say what a version takes and gives."""
    takes = version.contract
    low, high = ("ink low", "paper high") if takes["invert"] else ("paper low", "ink high")
    top = PIXEL * takes["scale"]
    takes_what = f"{takes['height']} x {takes['width']} float32 of 0 to {top:g}, {low}, {high}"
    gives = (
        "probabilities"
        if version.output == "probabilities"
        else "logits, which the service turns into probabilities,"
    )
    return f"{takes_what}; gives {gives} of {len(version.classes)} classes."


def size_sentence(version: Version) -> str:
    """Say how large a version is on disk and in memory."""
    disk = "size unknown" if version.bytes is None else f"{size(version.bytes)} on disk"
    return (
        f"{disk}, {size(version.memory_bytes)} in memory"
        if version.memory_bytes
        else f"{disk}, not in memory until somebody asks"
    )


def reconcile(
    experiments: Collection[str], versions: Sequence[Version]
) -> tuple[list[str], list[str]]:
    """Return the experiments that have no model, in their order, and the models that have no
    experiment, by name.
    """
    names = {each.name for each in versions}
    known = set(experiments)
    return [name for name in experiments if name not in names], sorted(names - known)


def curl(api_url: str, name: str) -> str:
    """Return the command that asks one model about digit.png."""
    return f"curl -F image_blob=@digit.png {shlex.quote(f'{api_url}/inference?experiment_name={name}')}"


def curl_many(api_url: str, names: Sequence[str], files: Sequence[str]) -> str:
    """Return the command that asks models about image files in one call, a line per file.

    names: of the models, or all.
    """
    query = urlencode([("experiments", name) for name in names])
    parts = [
        shlex.quote(
            f'images=@"{_escaped(file)}"' if set(file) & set(',;"\\') else f"images=@{file}"
        )
        for file in files
    ]
    return " \\\n  ".join(
        ["curl", *(f"-F {part}" for part in parts), shlex.quote(f"{api_url}/predictions?{query}")]
    )


def _escaped(file: str) -> str:
    return file.replace("\\", "\\\\").replace('"', '\\"')


def python(api_url: str, name: str) -> str:
    """Return the program that does the same with requests."""
    return f"""import requests

with open("digit.png", "rb") as image:
    answer = requests.post(
        {api_url + "/inference"!r},
        params={{"experiment_name": {name!r}}},
        files={{"image_blob": image}},
        timeout=10,
    )
answer.raise_for_status()
print(answer.json()["class"])
"""
