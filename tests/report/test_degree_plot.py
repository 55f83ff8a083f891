"""The figure of the knowledge graph."""

import csv

import pytest

from helpers_triples import write_triples
from protscribe.atomic import sha256_file
from protscribe.corpora.knowledge.degrees import write_degrees
from protscribe.corpora.knowledge.wording import KINDS
from protscribe.errors import InputError
from protscribe.report.degree_plot import look, plot_degrees
from protscribe.report.drawing import COLOURS
from protscribe.tables import read_table

SUFFIXES = (".png", ".svg", ".csv")
RELATIONS = [f"relation_{letter}" for letter in "abcdefghij"]


@pytest.fixture
def degrees(tmp_path):
    """Degrees of triples with more relations than there are colours."""
    terms = {f"P{i}": [f"t{k}" for k in range(10) if i % (k + 1) == 0] for i in range(1, 30)}
    relation_of = {f"t{k}": RELATIONS[k] for k in range(10)}
    triples = write_triples(tmp_path / "triples.parquet", terms, relation_of=relation_of)
    write_degrees(read_table(triples, "knowledge_triples"), tmp_path / "degrees.tsv")
    return tmp_path / "degrees.tsv"


def test_degrees(degrees, tmp_path):
    for name in ("one", "two"):
        plot_degrees(degrees, tmp_path / name)
    for suffix in SUFFIXES:
        first, second = (tmp_path / f"{name}{suffix}" for name in ("one", "two"))
        assert sha256_file(first) == sha256_file(second), suffix
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "one.csv").open(newline="") as file:
        drawn = list(csv.DictReader(file))
    with degrees.open(newline="") as file:
        assert drawn == list(csv.DictReader(file, delimiter="\t"))
    # Text is drawn as shapes, and named in comments.
    svg = (tmp_path / "one.svg").read_text()
    assert "<dc:date>" not in svg
    for words in ("proteins", "annotations", *(name.replace("_", " ") for name in RELATIONS)):
        assert f"<!-- {words} -->" in svg


def test_no_two_relations_look_alike():
    looks = [look(number) for number in range(len(KINDS))]
    assert len(set(looks)) == len(KINDS) > len(COLOURS)


def test_a_side_without_a_point(tmp_path):
    path = tmp_path / "degrees.tsv"
    path.write_text("relation\tside\tdegree\tcount\nec\tprotein\t1\t4\n")
    plot_degrees(path, tmp_path / "one")
    assert (tmp_path / "one.csv").read_text() == "relation,side,degree,count\nec,protein,1,4\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file; run build_knowledge_graph"),
        ("relation\tside\tdegree\tcount\n", "holds no degree"),
        ("relation\tdegree\tcount\nec\t1\t2\n", "needs the columns relation, side, degree, count"),
        ("relation\tside\tdegree\tcount\nec\tprotein\tfew\t2\n", "with whole numbers"),
        ("relation\tside\tdegree\tcount\nec\ttop\t1\t2\n", "'top' is no side"),
    ],
)
def test_bad_degrees_are_errors_and_leave_nothing(tmp_path, text, message):
    path = tmp_path / "degrees.tsv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        plot_degrees(path, tmp_path / "figure")
    assert not list(tmp_path.glob("figure*"))
