"""Benchmarks of sources and of the split, each a module to run."""
