"""pandas, imported only when a DataFrame is asked for."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def to_frame(
    data: Sequence[Mapping[str, Any]] | Mapping[str, Any], index: str | None = None
) -> "pd.DataFrame":
    """Return rows or columns as a DataFrame.

    Raises:
        ImportError: pandas is not installed.

    """
    try:
        import pandas as pd  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(
            "A DataFrame needs pandas. Install it (pip install pandas), or call with frame=False."
        ) from error
    frame = pd.DataFrame(data)
    if index is not None and index in frame.columns:
        frame = frame.set_index(index)
    return frame
