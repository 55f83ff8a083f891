"""Speed of classification by likelihood."""
