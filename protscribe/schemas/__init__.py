"""The schema of every table; `docs/tables.md` explains the columns."""

from protscribe.schemas.classification import CLASSIFICATION
from protscribe.schemas.corpora import CORPORA
from protscribe.schemas.design import DESIGN
from protscribe.schemas.evaluation import EVALUATION
from protscribe.schemas.knowledge import KNOWLEDGE
from protscribe.schemas.sources import SOURCES
from protscribe.schemas.spec import TableSpec

TABLES: dict[str, TableSpec] = {
    **SOURCES,
    **CORPORA,
    **KNOWLEDGE,
    **EVALUATION,
    **CLASSIFICATION,
    **DESIGN,
}
