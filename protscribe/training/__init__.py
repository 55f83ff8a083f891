"""Losses, objectives and the training loop."""
