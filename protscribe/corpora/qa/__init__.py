"""Questions and answers about proteins, each with the text that it was written from."""
