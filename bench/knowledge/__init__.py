"""What a choice in the knowledge graph is worth to a model."""
