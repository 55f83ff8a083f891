"""Where entries and models come from; with the model rules the only code that uses the network."""
