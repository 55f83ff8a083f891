"""Benchmarks that are answered by comparing the likelihoods of given options."""
