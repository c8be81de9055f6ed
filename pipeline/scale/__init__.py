"""Computations that several processes or machines share, behind one Executor."""
