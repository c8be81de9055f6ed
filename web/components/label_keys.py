"""Label keys: one button per label, skip and undo; each has a key of the keyboard."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent
SKIP, UNDO = "\N{SYMBOL FOR ESCAPE}", "\N{SYMBOL FOR BACKSPACE}"
_SKIP_KEY, _UNDO_KEY = "s", "u"
_HTML = '<div class="keys" data-part="keys"></div><div class="more" data-part="more"></div>'


@st.cache_resource(show_spinner=False)
def _component() -> Any:
    return st.components.v2.component(
        "label_keys",
        html=_HTML,
        css=(_HERE / "label_keys.css").read_text(encoding="utf-8"),
        js=(_HERE / "label_keys.js").read_text(encoding="utf-8"),
    )


def show_label_keys(key: str, labels: Sequence[str], *, request: int, can_undo: bool) -> str | None:
    """Show the keys and return the pressed label, SKIP or UNDO. None without a press.

    Args:
        key: of the component.
        labels: one button each, empty without an image.
        request: id of the request that the image belongs to. A press for an earlier one is
            dropped: a second press may arrive after the image has changed.
        can_undo: whether there is a label to undo.

    """
    result = _component()(
        key=key,
        data={
            "request": request,
            "labels": [
                {"value": label, "key": shortcut}
                for label, shortcut in zip(labels, shortcuts(labels), strict=True)
            ],
            "more": [
                *([{"value": SKIP, "key": _SKIP_KEY, "text": "Skip"}] if labels else []),
                *([{"value": UNDO, "key": _UNDO_KEY, "text": "Undo"}] if can_undo else []),
            ],
        },
        on_pressed_change=lambda: None,
    )
    return parse_press(result.pressed, request)


def shortcuts(labels: Sequence[str]) -> list[str]:
    """Return the key of each label: the label itself if all are one character, else 1, 2, 3 ..."""
    if all(len(label) == 1 for label in labels):
        return [label.lower() for label in labels]
    return [str(number) if number < 10 else "" for number in range(1, len(labels) + 1)]  # noqa: PLR2004


def parse_press(message: object, request: int) -> str | None:
    """Return the value of a message from the keys, None for another request or no message."""
    if not isinstance(message, Mapping) or message.get("request") != request:
        return None
    value = message.get("value")
    return value if isinstance(value, str) else None
