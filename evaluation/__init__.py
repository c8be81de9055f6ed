"""How good a model is on labeled images, and how two models differ: statistics without I/O."""
