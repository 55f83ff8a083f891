"""Speed and memory of the models."""
