"""Designed proteins: what is asked for, what it is compared with, and how good it is."""
