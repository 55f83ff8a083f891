"""Tables of designed proteins."""

from protscribe.schemas.spec import TableSpec

DESIGN: dict[str, TableSpec] = {}
