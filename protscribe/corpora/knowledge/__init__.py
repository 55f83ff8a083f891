"""Corpus ``knowledge``: a graph of proteins and annotations, and instructions made from it."""
