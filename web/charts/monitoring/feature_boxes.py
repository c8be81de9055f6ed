"""Feature boxes: a feature of recent images beside its reference, by predicted class."""

from collections.abc import Sequence

from web.charts.theme import Option

HEIGHT_PIXELS = 320
REFERENCE, RECENT = "Reference", "Recent images"


def feature_boxes(
    classes: Sequence[str],
    reference: Sequence[Sequence[float]],
    recent: Sequence[Sequence[float] | None],
    *,
    meaning: str,
    colors: tuple[str, str],
) -> Option:
    """Return a chart with two boxes per class: whiskers from 5 to 95 %, the box from 25 to 75 %.

    Args:
        classes: labels.
        reference: five quantiles by class.
        recent: the same of the recent images, None for a class without an image.
        meaning: of the feature, the name of the axis.
        colors: of reference and recent images.

    """
    boxes: list[tuple[str, list[list[float] | None], str]] = [
        (REFERENCE, [list(quantiles) for quantiles in reference], colors[0]),
        (RECENT, [None if one is None else list(one) for one in recent], colors[1]),
    ]
    return {
        "aria": {"enabled": True},
        "grid": {"left": 8, "right": 12, "top": 36, "bottom": 64, "containLabel": True},
        "legend": {"bottom": 0, "itemHeight": 8},
        "tooltip": {"trigger": "item", "confine": True},
        "xAxis": {
            "type": "category",
            "data": list(classes),
            "name": "predicted label",
            "nameLocation": "middle",
            "nameGap": 28,
            "axisTick": {"show": False},
        },
        "yAxis": {
            "type": "value",
            "scale": True,
            "name": meaning,
            "nameTextStyle": {"align": "left"},
        },
        "series": [
            {
                "type": "boxplot",
                "name": name,
                "animation": False,
                "itemStyle": {"color": f"{color}55", "borderColor": color},
                "data": [
                    "-" if quantiles is None else [round(value, 5) for value in quantiles]
                    for quantiles in data
                ],
            }
            for name, data, color in boxes
        ],
    }
