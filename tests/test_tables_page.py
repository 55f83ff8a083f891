import re

from conftest import HOUSE
from protscribe.schemas import TABLES


def test_the_page_names_every_column_of_every_table():
    page = (HOUSE / "docs" / "tables.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    described = {
        section.partition("\n")[0]: re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.MULTILINE)
        for section in sections
    }
    assert list(described) == list(TABLES)
    for name, rows in described.items():
        assert [column for column, _ in rows] == TABLES[name].schema.names
        assert tuple(c for c, text in rows if text.startswith("*key*")) == TABLES[name].key
