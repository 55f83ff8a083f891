"""The formats that entries come in, each read into rows of the proteins table."""
