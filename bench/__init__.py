"""Speed and memory, against the naive way."""
