"""Entries from UniProt: by release, by query, by accession."""
