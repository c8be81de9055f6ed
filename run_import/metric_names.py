"""Names of metrics of other tools, by the names of the house. Pure.

train/loss, Loss/train, epoch_loss  ->  loss
val/acc, Accuracy/val, val_acc      ->  validation_accuracy
test/acc                            ->  test_accuracy
"""

import re
from typing import Final

from tracking.names import metric_key

SETS: Final = {
    **dict.fromkeys(("train", "training"), ""),
    **dict.fromkeys(("val", "valid", "validation", "eval", "dev"), "validation_"),
    "test": "test_",
}
STARTS: Final = ("epoch_", "evaluation_", "train_", "training_")
ENDS: Final = ("_vs_iterations", "_epoch", "_step")
RATE_METRICS: Final = ("learning_rate", "lr")


def past_metric_key(name: str) -> str:
    """Return the name of the house of a metric."""
    parts = re.split(r"[/.]", name)
    prefixes = [SETS[part.lower()] for part in parts if part.lower() in SETS]
    key = metric_key("_".join(part for part in parts if part.lower() not in SETS) or name)
    for start in STARTS:
        key = key.removeprefix(start)
    for end in ENDS:
        key = key.removesuffix(end)
    key, prefix = metric_key(key or name), prefixes[0] if prefixes else ""
    return key if key.startswith(prefix) else prefix + key
