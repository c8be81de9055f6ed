"""Families of evidence, and the threshold at which each reports a drift.

A threshold is the least mean number of images between two false alarms of a family, if the
reference were exact. `inputs`, `novelty` and `confidence` warn; `labels` informs.
"""

INPUTS, NOVELTY, CONFIDENCE, LABELS = "inputs", "novelty", "confidence", "labels"
FAMILIES = (INPUTS, NOVELTY, CONFIDENCE, LABELS)
THRESHOLDS = {INPUTS: 1e7, NOVELTY: 1e7, CONFIDENCE: 1e7, LABELS: 1e6}
