"""Generation, baselines, metrics and their intervals."""
