"""Frozen encoders, the embedding store and pooled text vectors."""
