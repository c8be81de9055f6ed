"""References of models: made of the test images of the base dataset, and kept beside the card."""
