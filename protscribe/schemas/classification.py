"""Tables of classification by likelihood."""

from protscribe.schemas.spec import TableSpec

CLASSIFICATION: dict[str, TableSpec] = {}
