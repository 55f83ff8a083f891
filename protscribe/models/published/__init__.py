"""Released checkpoints of other authors, in our layout and with their own prompts."""
