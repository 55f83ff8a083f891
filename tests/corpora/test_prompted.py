import pytest

from protscribe.corpora.prompted import apply_style, make_prompts
from protscribe.errors import InputError
from protscribe.prompts import PROTEIN_MARKER, PromptStyle
from protscribe.schemas import TABLES
from protscribe.tables import read_table, write_table

BARE = PromptStyle("")
NAMED = PromptStyle("Be brief.", "Name: {name}; Taxon: {taxon}; <protein_sequence>")
PROTEIN = {"accession": "P1", "protein_name": "Hexokinase {1}", "organism": "Homo sapiens"}
TURNS = [
    {"role": "user", "content": f"{PROTEIN_MARKER}\nWhere is it?"},
    {"role": "assistant", "content": "In the cytosol."},
]


def row(name, **values):
    return dict.fromkeys(TABLES[name].schema.names) | values


def test_template_goes_around_protein_and_question():
    assert apply_style(NAMED, TURNS, PROTEIN) == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": "Name: Hexokinase {1}; Taxon: Homo; <protein_sequence>\nWhere is it?",
        },
        TURNS[1],
    ]


def test_bare_style_changes_nothing_and_what_lacks_is_unknown():
    assert apply_style(BARE, TURNS, PROTEIN) == TURNS
    nameless = PROTEIN | {"protein_name": None, "organism": None}
    assert "Name: unknown; Taxon: unknown" in apply_style(NAMED, TURNS, nameless)[1]["content"]


@pytest.mark.parametrize(
    "turns", [TURNS[1:], [{"role": "user", "content": "No protein."}, TURNS[1]]]
)
def test_the_first_turn_holds_the_protein(turns):
    with pytest.raises(InputError, match="must open with a user turn"):
        apply_style(BARE, turns, PROTEIN)


def test_who_asks_for_a_protein_shows_none():
    style = PromptStyle("Be brief.", "Name: {name}. <protein_sequence>", question="What is it?")
    asked = [{"role": "user", "content": "Design one."}]
    answer = {"role": "assistant", "content": f"Here:\n{PROTEIN_MARKER}"}
    system = {"role": "system", "content": "Be brief."}
    assert apply_style(style, asked, {}) == [system, *asked]
    assert apply_style(style, [*asked, answer], {}) == [system, *asked, answer]


def test_a_question_is_put_where_there_is_none():
    style = PromptStyle("", "Look: <protein_sequence>", question="What does it do?")
    bare = [{"role": "user", "content": f" {PROTEIN_MARKER}\n"}, TURNS[1]]
    (asked, _) = apply_style(style, bare, PROTEIN)
    assert asked["content"] == "Look: <protein_sequence>\nWhat does it do?"
    (own, _) = apply_style(style, TURNS, PROTEIN)
    assert own["content"] == "Look: <protein_sequence>\nWhere is it?"


def test_later_turns_stay_as_they_are():
    more = [{"role": "user", "content": "Alone?"}, {"role": "assistant", "content": "No."}]
    assert apply_style(NAMED, TURNS + more, PROTEIN)[3:] == more


@pytest.fixture
def tables(tmp_path):
    write_table(tmp_path / "proteins.parquet", "proteins", [row("proteins", **PROTEIN)])
    conversation = row("conversations", id="c:P1", accession="P1", fold="train", turns=TURNS)
    write_table(tmp_path / "corpus.parquet", "conversations", [conversation])
    return tmp_path


def test_rows_keep_all_but_their_words(tables):
    make_prompts(
        [tables / "corpus.parquet"], tables / "proteins.parquet", tables / "out", style=NAMED
    )
    (before,) = read_table(tables / "corpus.parquet", "conversations").to_pylist()
    (after,) = read_table(tables / "out", "conversations").to_pylist()
    assert after.pop("prompt_hash") == NAMED.hash
    assert after.pop("turns") == apply_style(NAMED, TURNS, PROTEIN)
    del before["turns"], before["prompt_hash"]
    assert after == before


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        (TURNS[:1], "must end with an assistant turn"),
        ([], "must end with an assistant turn; the turns of this one are none"),
        ([{"role": "user", "content": "Where is it?"}, TURNS[1]], "this one holds it 0 times"),
        ([*TURNS, *TURNS], "this one holds it 2 times"),
    ],
)
def test_a_broken_conversation_is_named(tables, turns, words):
    conversation = row("conversations", id="c:P1", accession="P1", fold="train", turns=turns)
    write_table(tables / "corpus.parquet", "conversations", [conversation])
    with pytest.raises(InputError, match=f"conversation c:P1: .*{words}"):
        make_prompts(
            [tables / "corpus.parquet"], tables / "proteins.parquet", tables / "out", style=BARE
        )


def test_unknown_protein_is_named(tables):
    write_table(tables / "proteins.parquet", "proteins", [])
    with pytest.raises(InputError, match="lacks P1, which c:P1 is about"):
        make_prompts(
            [tables / "corpus.parquet"], tables / "proteins.parquet", tables / "out", style=BARE
        )
    assert not (tables / "out").exists()
