"""Import of past runs: an MLflow server, folder or database, TensorBoard logs, W&B exports.

Runs with their whole curves become a file of data.d, which the set-up imports like any other.
"""
