"""Clustering, splitting and auditing by sequence similarity, through MMseqs2."""
