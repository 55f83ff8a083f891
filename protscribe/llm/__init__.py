"""Language models: loading them, and having them write."""
