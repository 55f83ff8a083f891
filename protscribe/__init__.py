"""Protein sequences into text, and text into protein sequences."""

__version__ = "0.1.0"
