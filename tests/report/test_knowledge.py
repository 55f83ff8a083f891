"""The knowledge graph on the results page."""

import pytest

from helpers_instructions import make_desk
from helpers_report import SCRIPT, render, text_of
from helpers_triples import write_clusters
from protscribe.atomic import read_json, write_json
from protscribe.corpora.knowledge.sampling import sample_triples
from protscribe.errors import InputError
from protscribe.report.knowledge import METHODS, KnowledgeFiles, knowledge_section
from protscribe.tables import read_table, write_table


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What a small run leaves of its graph, made by the code that makes it."""
    desk = make_desk(tmp_path_factory.mktemp("graph"))
    training = {row["accession"] for row in desk.rows("triples") if row["fold"] == "train"}
    write_clusters(desk.path("clusters"), {one: one for one in training})
    sample_triples(
        *(desk.path(name) for name in ("triples", "split", "clusters", "sampled")),
        desk.root / "sampling.json",
        method="tempered",
        draws=40,
        power=-0.5,
        seed=0,
    )
    desk.write()
    _, statistics = desk.join(["out"], "whole")
    return KnowledgeFiles(desk.path("counts"), desk.root / "sampling.json", statistics)


@pytest.fixture
def files(made, tmp_path):
    """Copies that may be changed."""
    found = KnowledgeFiles(
        tmp_path / "counts.parquet", tmp_path / "sampling.json", tmp_path / "statistics.json"
    )
    for path, copy in zip(made, found, strict=True):
        copy.write_bytes(path.read_bytes())
    return found


def test_counts_stand_by_relation(files):
    found = knowledge_section(files)
    rows = read_table(files.counts, "knowledge_counts").to_pylist()
    assert [row["triples"] for row in found["counts"]] == sorted(
        (row["triples"] for row in rows), reverse=True
    )
    assert found["triples"] == sum(row["triples"] for row in rows) > found["training_triples"] > 0


def test_ways_of_sampling_stand_beside_each_other(files):
    sampling = read_json(files.sampling)
    found = knowledge_section(files)["sampling"]
    names = [name for name, _ in found["lines"]]
    assert names == [*METHODS, "drawn, tempered"]
    for name, numbers in found["lines"][:3]:
        overall = sampling["methods"][name]["overall"]
        assert numbers == {key: overall[key] for key in ("entropy", "top_term", "top_share")}
    assert found["draws"] == 40
    relations = dict(found["relations"])
    assert set(relations) == set(sampling["methods"]["uniform"]["relations"])
    for name, numbers in zip(METHODS, relations["keyword"], strict=True):
        wanted = sampling["methods"][name]["relations"]["keyword"]["entropy"]
        assert numbers["entropy"] == wanted


def test_instructions_add_up(files):
    found = knowledge_section(files)["instructions"]
    assert found["folds"][0] == "train"
    assert sum(total for _, _, total in found["tasks"]) == sum(found["totals"]) == found["number"]
    assert {task for task, _, _ in found["tasks"]} == {"annotate", "design", "explain", "verify"}
    assert found["writers"] == [("template", found["number"])]


def test_the_page_shows_the_graph_where_there_is_one(inputs, files):
    assert "Knowledge" not in text_of(inputs)
    write_json(
        files.statistics,
        {
            "written": {
                "instructions": 7,
                "tasks_by_fold": {"validation": {"verify": 2}, "train": {"design": 4, "verify": 1}},
                "writers": {"template": 3, "language_model": 4},
                "rejected": {"no safe negative": 1, "invents a name": 5},
            },
            "plan": {
                "blind_prior": {
                    "train": {"questions": 1, "accuracy": 0.5163, "majority": 0.5},
                    "validation": {"questions": 2, "accuracy": 0.5, "majority": 1.0},
                }
            },
        },
    )
    text = text_of(inputs, knowledge=files)
    assert "7 instructions" in text
    assert "4 by language model and 3 by template." in text
    assert "Left out: 5 (invents a name), 1 (no safe negative)." in text
    assert "task train validation all design 4 0 4 verify 1 2 3 all 5 2 7" in text
    assert "train 1 51.6% 50.0% validation 2 50.0% 100.0%" in text
    row = read_table(files.counts, "knowledge_counts").to_pylist()[0]
    name = row["relation"].replace("_", " ")
    numbers = " ".join(f"{row[c]}" for c in ("triples", "proteins", "annotations"))
    assert f"{name} {numbers}" in text
    overall = read_json(files.sampling)["methods"]["published"]["overall"]
    share = f"{100 * overall['top_share']:.1f}%"
    assert f"published {overall['entropy']:.2f} {overall['top_term']} {share}" in text


def test_a_corpus_without_yes_or_no_questions(inputs, files):
    statistics = read_json(files.statistics)
    statistics["plan"]["blind_prior"] = {}
    statistics["written"]["rejected"] = {}
    write_json(files.statistics, statistics)
    text = text_of(inputs, knowledge=files)
    assert "Yes-or-no questions answered" not in text and "Left out: " not in text


def test_names_of_annotations_are_inert(inputs, files):
    rows = read_table(files.counts, "knowledge_counts").to_pylist()
    write_table(files.counts, "knowledge_counts", [rows[0] | {"relation": SCRIPT}])
    sampling = read_json(files.sampling)
    sampling["method"] = SCRIPT
    sampling["methods"]["uniform"]["overall"]["top_term"] = SCRIPT
    sampling["methods"]["uniform"]["relations"]["keyword"]["top_term"] = SCRIPT
    write_json(files.sampling, sampling)
    statistics = read_json(files.statistics)
    statistics["written"]["rejected"] = {SCRIPT: 3}
    statistics["written"]["writers"] = {SCRIPT: 3}
    statistics["written"]["tasks_by_fold"]["train"][SCRIPT] = 1
    write_json(files.statistics, statistics)
    html, checker = render(inputs, knowledge=files)
    assert "<script" not in html
    assert "".join(checker.text).count("<script>") == 8


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("sampling", {"methods": {}}, "sample_triples"),
        ("sampling", [], "sample_triples"),
        ("statistics", {"written": {}, "plan": {}}, "join_instructions"),
        ("statistics", {"written": 3, "plan": 3}, "join_instructions"),
    ],
)
def test_other_files_are_errors(files, name, value, rule):
    write_json(getattr(files, name), value)
    with pytest.raises(InputError, match=rf"{name}.json: does not hold .* run {rule} again"):
        knowledge_section(files)


def test_a_file_that_is_not_there_is_an_error(files):
    files.sampling.unlink()
    with pytest.raises(InputError, match="sampling.json: no such file"):
        knowledge_section(files)
