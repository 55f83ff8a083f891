"""Connectors, the captioner that joins encoder and language model, and checkpoints."""
