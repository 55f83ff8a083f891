"""Speed of writing proteins."""
