import pytest

from helpers_evaluation import qa_row, write_conversations
from protscribe.errors import InputError
from protscribe.evaluation.examples import choose_controls, read_test, read_training

ROWS = [
    {"accession": "P2", "fold": "test_low_homology", "answer": "Two."},
    {"accession": "P1", "fold": "test_in_distribution", "answer": "One."},
    {"accession": "P3", "fold": "train", "answer": "Three."},
    {"accession": "P4", "fold": "validation", "answer": "Four."},
]


def test_folds_are_told_apart_and_sorted_by_id(tmp_path):
    path = write_conversations(tmp_path / "c.parquet", ROWS)
    assert [example.accession for example in read_test([path])] == ["P1", "P2"]
    assert [example.answer for example in read_training([path])] == ["Three."]
    assert [turn["role"] for turn in read_test([path])[0].question] == ["user"]


def test_an_id_in_two_corpora_is_an_error(tmp_path):
    path = write_conversations(tmp_path / "c.parquet", ROWS)
    with pytest.raises(InputError, match="descriptions:P1 was read already"):
        read_test([path, path])


def test_nothing_to_test_or_train_on_is_an_error(tmp_path):
    path = write_conversations(tmp_path / "train.parquet", ROWS[2:])
    with pytest.raises(InputError, match="no conversation is in a test fold"):
        read_test([path])
    path = write_conversations(tmp_path / "test.parquet", ROWS[:2])
    with pytest.raises(InputError, match="no conversation is in the training fold"):
        read_training([path])


def test_a_conversation_without_an_answer_is_an_error(tmp_path):
    turns = [{"role": "user", "content": "<protein_sequence>"}]
    path = write_conversations(tmp_path / "c.parquet", [ROWS[0] | {"turns": turns}])
    with pytest.raises(InputError, match="does not end with an assistant turn"):
        read_test([path])


def test_what_is_asked_is_the_last_question_without_the_protein(tmp_path):
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "<protein_sequence>\nWhere is it?"},
        {"role": "assistant", "content": "In the nucleus."},
        {"role": "user", "content": "What does it bind?"},
        {"role": "assistant", "content": "DNA."},
    ]
    rows = [
        ROWS[0],
        qa_row("P1", "test_low_homology", "What does it do?", "Nothing."),
        qa_row("P2", "test_low_homology", "", "DNA.") | {"turns": turns},
    ]
    examples = read_test([write_conversations(tmp_path / "c.parquet", rows)])
    assert {example.id: example.asked for example in examples} == {
        "descriptions:P2": "",
        "qa:P1:1": "What does it do?",
        "qa:P2:1": "What does it bind?",
    }


def test_corpora_are_chosen_by_name(tmp_path):
    qa = qa_row("P2", "test_low_homology", "Why?", "Because.")
    path = write_conversations(tmp_path / "c.parquet", [*ROWS, qa])
    assert [example.id for example in read_test([path], ["qa"])] == ["qa:P2:1"]
    assert len(read_test([path], ["qa", "descriptions"])) == len(read_test([path])) == 3
    with pytest.raises(InputError, match=r"no conversation of corpus knowledge; see predict\.corp"):
        read_test([path], ["qa", "knowledge"])


def test_controls_are_the_same_few_of_each_task_and_fold(tmp_path):
    rows = [
        qa_row(f"P{i}", f"test_{fold}", "Why?", "Because.")
        for fold in ("low_homology", "temporal")
        for i in range(20 if fold == "temporal" else 5)
        if not (fold == "temporal" and i < 5)
    ]
    rows += [row | {"id": f"d:{row['accession']}", "task": "describe"} for row in rows[:4]]
    examples = read_test([write_conversations(tmp_path / "c.parquet", rows)])
    assert choose_controls(examples, None) == examples
    few, more = choose_controls(examples, 3), choose_controls(examples, 6)
    counts = {}
    for example in few:
        counts[example.task, example.fold] = counts.get((example.task, example.fold), 0) + 1
    assert set(counts.values()) == {3} and len(counts) == 3
    names = [example.id for example in few]
    assert set(names) < {example.id for example in more}
    assert names == sorted(names)
    # Whatever else is asked, the same ones are chosen.
    answers = [example for example in examples if example.task == "answer"]
    chosen = {example.id for example in choose_controls(answers, 3)}
    assert chosen == {example.id for example in few if example.task == "answer"}
