"""Publications: finding, fetching, parsing them, and which protein they are about."""
