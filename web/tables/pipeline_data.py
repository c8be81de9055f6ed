"""Tables and descriptions of the learning loop's data: datasets, counts, uploads, rejects."""

from collections.abc import Mapping, Sequence

import pandas as pd

from web.formatting import escape_markdown, format_size, pluralize
from web.tables.pipeline_runs import DIGEST_CHARACTERS

SPLITS = ("train", "validation", "test")
MAX_ANCESTORS = 6


def dataset_table(datasets: pd.DataFrame) -> pd.DataFrame:
    """Return one row per dataset, in their order.

    Columns: version, task, images, added, train, validation, test, parent, runs, created_at,
    created_by.

    Args:
        datasets: see data_queries.read_datasets.

    """
    return pd.DataFrame(
        {
            "version": datasets["digest"].str[:DIGEST_CHARACTERS],
            "task": datasets["task"],
            "images": datasets["images"],
            "added": [
                images - _base_images(sources)
                for images, sources in zip(datasets["images"], datasets["sources"], strict=True)
            ],
            **{split: datasets[split] for split in SPLITS},
            "parent": datasets["parent_digest"].str[:DIGEST_CHARACTERS],
            "runs": [_join(runs) for runs in datasets["runs"]],
            "created_at": datasets["created_at"],
            "created_by": datasets["created_by"],
        }
    )


def _base_images(sources: object) -> int:
    base = sources.get("base") if isinstance(sources, Mapping) else None
    images = base.get("images") if isinstance(base, Mapping) else base
    return images if isinstance(images, int) else 0


def _join(runs: object) -> str | None:
    return ", ".join(map(str, runs)) if isinstance(runs, Sequence) else None


def lineage(datasets: pd.DataFrame, row: int) -> str:
    """Return a dataset and those that it adds to as markdown: base, ab12cd34, ef56ab78."""
    by_digest = datasets.set_index("digest")
    chain: list[str] = []
    digest = datasets["digest"].iloc[row]
    while digest in by_digest.index and len(chain) < MAX_ANCESTORS:
        chain.append(digest)
        digest = by_digest["parent_digest"][digest]
    first = "base" if pd.isna(digest) else "\N{HORIZONTAL ELLIPSIS}"
    names = [f"`{one[:DIGEST_CHARACTERS]}`" for one in reversed(chain)]
    names[-1] = f"**{names[-1]}**"
    return " \N{RIGHTWARDS ARROW} ".join([first, *names])


def describe_sources(sources: Mapping[str, object]) -> str:
    """Describe the sources of a dataset: base 70,000, corrections 198, audit 114."""
    parts = []
    for name, value in sources.items():
        if isinstance(value, Mapping) and isinstance(value.get("images"), int):
            parts.append(f"{escape_markdown(name)} {value['images']:,}")
        elif isinstance(value, Mapping):
            counts = [count for count in value.values() if isinstance(count, int)]
            if counts:
                parts.append(f"{escape_markdown(name)} {sum(counts):,}")
        elif isinstance(value, int) and value:
            parts.append(f"{escape_markdown(name)} {value:,}")
    return f"Images by source: {', '.join(parts)}." if parts else ""


def count_table(counts: pd.DataFrame) -> pd.DataFrame:
    """Return one row per label: label, train, validation, test, total.

    Args:
        counts: see data_queries.read_dataset_counts.

    """
    wide = counts.pivot_table(
        index="label", columns="split", values="images", aggfunc="sum", fill_value=0
    ).reindex(columns=list(SPLITS), fill_value=0)
    return wide.assign(total=wide.sum(axis=1)).reset_index().rename_axis(columns=None)


def upload_table(uploads: pd.DataFrame) -> pd.DataFrame:
    """Return one row per upload, in their order.

    Columns: name, state (a list for chips), images, rejected, size, task, uploaded_by,
    uploaded_at, reason.

    Args:
        uploads: see data_queries.read_uploads.

    """
    return pd.DataFrame(
        {
            "name": uploads["name"],
            "state": [[state.capitalize()] for state in uploads["state"]],
            "images": uploads["images"],
            "rejected": uploads["rejected"],
            "size": [format_size(number) for number in uploads["bytes"]],
            "task": uploads["task"],
            "uploaded_by": uploads["uploaded_by"],
            "uploaded_at": uploads["uploaded_at"],
            "reason": uploads["reason"],
        }
    )


def rejects_table(uploads: pd.DataFrame) -> pd.DataFrame:
    """Return one row per stored reject of these uploads: file, path, reason."""
    rows = [
        (name, str(reject.get("path", "")), str(reject.get("reason", "")))
        for name, rejects in zip(uploads["name"], uploads["rejects"], strict=True)
        for reject in (rejects if isinstance(rejects, list) else ())
        if isinstance(reject, Mapping)
    ]
    return pd.DataFrame(rows, columns=["file", "path", "reason"])


def describe_waiting(labels: int) -> str:
    """Describe how many labels wait for a run."""
    return f"{pluralize(labels, 'label')} {'waits' if labels == 1 else 'wait'} for the next run"
