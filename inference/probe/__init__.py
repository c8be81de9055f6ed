"""Probe: reads digits with known labels, drawn by this package, with every new model.

Tells a model whose input is declared wrongly from one that reads digits, before it is used. Knows
the runtime and the model format. Knows nothing of the model repository.
"""
