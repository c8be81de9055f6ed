"""Colors and shared parts of the charts. Colors match the themes in .streamlit/config.toml."""

from typing import Any

Option = dict[str, Any]

# By "is the theme dark": background, range of a heat map, and text in a faint or a strong cell.
SURFACE = {False: "#ffffff", True: "#10191b"}
HEAT = {False: ("#eef5f5", "#0b7a75"), True: ("#1d2b2e", "#4fd1c5")}
CELL_TEXT = {False: ("#243b3d", "#ffffff"), True: ("#c9dcdc", "#06201f")}
FAINT_LINE = {False: "#c9d6d6", True: "#37474b"}
# A cell above this share of the color range needs the text color for strong cells.
STRONG_ABOVE = 0.65
# Width up to which a chart counts as a phone's.
PHONE_PIXELS = 520


def hidden_color_scale(*, dark: bool, low: float = 0, high: float = 1) -> Option:
    """Return the color scale of a heat map, without a legend. Values are in dimension 2."""
    return {
        "show": False,
        "min": low,
        "max": high,
        "dimension": 2,
        "inRange": {"color": list(HEAT[dark])},
    }


def cell_style(*, dark: bool, gap: int = 3) -> Option:
    """Return the style of heat map cells, with a gap in pixels between them."""
    return {"borderColor": SURFACE[dark], "borderWidth": gap, "borderRadius": gap + 3}
