"""How providers are asked: rate, retries, cache, downloads, log."""
