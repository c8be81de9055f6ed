"""Evidence over images: a line per detector, and the thresholds at which they warn."""

from collections.abc import Sequence
from dataclasses import dataclass

from web.charts.theme import Option

HEIGHT_PIXELS = 320
# Evidence below is none: the axis ends here.
FLOOR = -1.0
HEADROOM = 0.7


@dataclass(frozen=True)
class EvidenceLine:
    """Line of a detector.

    Attributes:
        name: such as `inputs`.
        images: number of examined images at each point.
        evidence: decimal logarithm of the evidence at each point.
        threshold: decimal logarithm at which it warns.

    """

    name: str
    images: Sequence[int]
    evidence: Sequence[float]
    threshold: float


def evidence_lines(lines: Sequence[EvidenceLine], alerts: Sequence[int], *, danger: str) -> Option:
    """Return a chart with a line per detector and a dashed line per threshold.

    Args:
        lines: at least one.
        alerts: number of images at each alert, marked on the axis.
        danger: color of thresholds and alerts.

    """
    thresholds = sorted({line.threshold for line in lines})
    highest = max([*thresholds, *(max(line.evidence) for line in lines if line.evidence)])
    marks: list[Option] = [
        {"yAxis": threshold, "label": {"formatter": f"warns: 10^{threshold:g}"}}
        for threshold in thresholds
    ]
    marks += [
        {"xAxis": images, "label": {"formatter": "alert", "position": "insideEndTop"}}
        for images in alerts
    ]
    mark_line = {
        "silent": True,
        "symbol": "none",
        "animation": False,
        "lineStyle": {"type": "dashed", "width": 1.5, "color": danger},
        "label": {"position": "insideStartTop", "color": danger},
        "data": marks,
    }
    return {
        "aria": {"enabled": True},
        "grid": {"left": 8, "right": 16, "top": 36, "bottom": 64, "containLabel": True},
        "legend": {"type": "scroll", "bottom": 0, "icon": "roundRect", "itemHeight": 4},
        "tooltip": {"trigger": "axis", "confine": True, "valueFormatter": "%.1f"},
        "xAxis": {
            "type": "value",
            "name": "images examined",
            "nameLocation": "middle",
            "nameGap": 28,
            "min": "dataMin",
            "max": "dataMax",
            "splitLine": {"show": False},
            "axisLabel": {"hideOverlap": True},
        },
        "yAxis": {
            "type": "value",
            "name": "evidence, powers of ten",
            "nameTextStyle": {"align": "left"},
            "min": FLOOR,
            "max": round(highest + HEADROOM, 1),
            "axisLabel": {"showMaxLabel": False},
        },
        "series": [
            {
                "type": "line",
                "name": line.name,
                "animation": False,
                "showSymbol": len(line.images) == 1,
                "lineStyle": {"width": 2},
                "emphasis": {"focus": "series"},
                "data": [
                    [images, round(max(FLOOR, evidence), 2)]
                    for images, evidence in zip(line.images, line.evidence, strict=True)
                ],
                **({"markLine": mark_line} if number == 0 else {}),
            }
            for number, line in enumerate(lines)
        ],
    }
