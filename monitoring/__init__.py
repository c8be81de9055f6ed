"""Monitoring: drift of the images, confidence and labels that models see."""
