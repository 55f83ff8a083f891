"""The ontology and the smaller sources, each fetched and made into tables."""
