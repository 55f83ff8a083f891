"""Speed of writing, filtering and scoring questions and answers."""
