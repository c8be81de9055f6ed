"""Training in a run: seeds and sweeps, each training in a child process of the worker.

TensorFlow and Optuna are imported only in the modules of `pipeline/training/children`.
"""
