import random

import pytest

from helpers_evaluation import qa_row, write_conversations, write_proteins
from protscribe.atomic import sha256_file
from protscribe.errors import InputError
from protscribe.evaluation.baselines import (
    FrequentAnswers,
    predict_most_frequent,
    predict_nearest_neighbour,
)
from protscribe.evaluation.examples import read_training
from protscribe.tables import read_metadata, read_table


def protein(seed, length=120):
    return "".join(random.Random(seed).choices("ACDEFGHIKLMNPQRSTVWY", k=length))


def mutated(sequence, share, seed):
    rng = random.Random(seed)
    return "".join(rng.choice("AGSTVL") if rng.random() < share else letter for letter in sequence)


PARENT, OTHER = protein(1), protein(2)
SEQUENCES = {
    "T1": mutated(PARENT, 0.4, 5),
    "T2": mutated(PARENT, 0.1, 6),
    "T3": OTHER,
    "T4": protein(3),
    "V1": mutated(PARENT, 0.01, 7),
    # Nearer to the query than any training protein, but not for training.
    "A1": PARENT,
    "A2": mutated(OTHER, 0.3, 8),
    # Too short and simple for any hit.
    "A3": "G" * 12,
}
ROWS = [
    {"accession": "T1", "fold": "train", "answer": "Far cousin."},
    {"accession": "T2", "fold": "train", "answer": "Near cousin."},
    {"accession": "T3", "fold": "train", "answer": "Other family."},
    {"accession": "T4", "fold": "train", "answer": "Far cousin."},
    {"accession": "V1", "fold": "validation", "answer": "Twin, in validation."},
    {"accession": "A1", "fold": "test_in_distribution", "answer": "Asked 1."},
    {"accession": "A2", "fold": "test_low_homology", "answer": "Asked 2."},
    {"accession": "A3", "fold": "test_low_homology", "answer": "Asked 3."},
]


@pytest.fixture
def inputs(tmp_path):
    return (
        write_proteins(tmp_path / "proteins.parquet", SEQUENCES),
        write_conversations(tmp_path / "conversations.parquet", ROWS),
    )


def rows_of(path):
    return {row["accession"]: row for row in read_table(path, "predictions").to_pylist()}


def test_nearest_is_the_best_hit_among_training_proteins(inputs, tmp_path, capsys):
    proteins, conversations = inputs
    output = tmp_path / "nearest_neighbour.parquet"
    predict_nearest_neighbour(proteins, [conversations], output, threads=1)
    rows = rows_of(output)
    assert {name: row["prediction"] for name, row in rows.items()} == {
        "A1": "Near cousin.",
        "A2": "Other family.",
        "A3": "Far cousin.",
    }
    reasons = {name: row["finish_reason"] for name, row in rows.items()}
    assert reasons == {"A1": "hit", "A2": "hit", "A3": "no_hit"}
    assert rows["A1"]["reference"] == "Asked 1."
    assert rows["A1"]["condition"] == "sequence"
    assert "1 of 3 test examples have no hit" in capsys.readouterr().err
    assert read_metadata(output) == {
        "predictor": "nearest_neighbour",
        "training_examples": "4",
        "training_steps": "0",
    }


def test_most_frequent_repeats_one_text(inputs, tmp_path):
    output = tmp_path / "most_frequent.parquet"
    predict_most_frequent([inputs[1]], output)
    rows = rows_of(output)
    assert set(rows) == {"A1", "A2", "A3"}
    assert {row["prediction"] for row in rows.values()} == {"Far cousin."}


def test_threads_do_not_change_the_file(inputs, tmp_path):
    outputs = [tmp_path / f"{threads}.parquet" for threads in (1, 2)]
    for threads, output in zip((1, 2), outputs, strict=True):
        predict_nearest_neighbour(inputs[0], [inputs[1]], output, threads=threads)
    assert sha256_file(outputs[0]) == sha256_file(outputs[1])


def test_of_equally_frequent_texts_the_first_by_letters_wins(tmp_path):
    rows = [
        {"accession": f"T{i}", "fold": "train", "answer": answer}
        for i, answer in enumerate(["b", "a", "c", "b", "a"])
    ]
    path = write_conversations(tmp_path / "c.parquet", rows)
    assert FrequentAnswers.of(read_training([path])).by_task == {"describe": "a"}


def test_each_task_copies_its_own_answers(inputs, tmp_path):
    rows = [
        {"accession": name, "fold": fold, "answer": text, "task": "locate", "id": f"locate:{name}"}
        for name, fold, text in (
            ("T2", "train", "Nucleus."),
            ("T3", "train", "Membrane."),
            ("A1", "test_in_distribution", "Asked."),
        )
    ]
    other = write_conversations(tmp_path / "locate.parquet", rows)
    output = tmp_path / "p.parquet"
    predict_nearest_neighbour(inputs[0], [inputs[1], other], output, threads=1)
    found = {(r["id"], r["task"]): r for r in read_table(output, "predictions").to_pylist()}
    assert found["locate:A1", "locate"]["prediction"] == "Nucleus."
    assert found["descriptions:A1", "describe"]["prediction"] == "Near cousin."
    assert len(found) == 4


def test_a_task_without_training_is_an_error(inputs, tmp_path):
    row = ROWS[5] | {"task": "locate", "id": "locate:A1"}
    other = write_conversations(tmp_path / "locate.parquet", [row])
    with pytest.raises(InputError, match="no training conversation has task locate"):
        predict_most_frequent([inputs[1], other], tmp_path / "p.parquet")


def test_an_unknown_protein_is_an_error(inputs, tmp_path):
    proteins = write_proteins(tmp_path / "few.parquet", {"T1": PARENT})
    with pytest.raises(InputError, match="lacks A1"):
        predict_nearest_neighbour(proteins, [inputs[1]], tmp_path / "p.parquet", threads=1)


QUESTIONS = [
    qa_row("T1", "train", "Where is this protein located?", "Somewhere far."),
    qa_row("T2", "train", "Where in the cell is this protein located?", "In the nucleus.", 1),
    qa_row("T2", "train", "What does this protein bind?", "Zinc.", 2),
    # Equally like a question about a partner as the one before.
    qa_row("T2", "train", "What does this protein bind?", "Copper.", 3),
    qa_row("T4", "train", "What does this protein bind?", "Copper."),
    qa_row("T4", "train", "Is this protein an enzyme?", "No.", 2),
    qa_row("T3", "train", "Is it an enzyme?", "No.", 2),
    qa_row("V1", "validation", "Where is it located in the cell?", "Validation."),
    qa_row("A1", "test_in_distribution", "Where is it located in the cell?", "Asked 1."),
    qa_row("A1", "test_in_distribution", "What does this protein bind to?", "Asked 2.", 2),
    qa_row("A3", "test_low_homology", "What does this protein bind?", "Asked 3."),
    qa_row("A3", "test_low_homology", "Something else?", "Asked 4.", 2),
]


def test_the_nearest_proteins_answer_to_the_most_similar_question_is_copied(inputs, tmp_path):
    qa = write_conversations(tmp_path / "qa.parquet", QUESTIONS)
    output = tmp_path / "p.parquet"
    predict_nearest_neighbour(inputs[0], [inputs[1], qa], output, threads=1)
    rows = {row["id"]: row for row in read_table(output, "predictions").to_pylist()}
    found = {name: row["prediction"] for name, row in rows.items() if row["task"] == "answer"}
    assert found == {
        "qa:A1:1": "In the nucleus.",
        # Of equally similar questions the first id.
        "qa:A1:2": "Zinc.",
        # No hit: the most frequent answer to the same question, else of the task.
        "qa:A3:1": "Copper.",
        "qa:A3:2": "Copper.",
    }
    assert rows["qa:A3:1"]["finish_reason"] == "no_hit"
    assert rows["descriptions:A1"]["prediction"] == "Near cousin."
    assert read_metadata(output)["training_examples"] == "11"


def test_most_frequent_answers_the_same_question(inputs, tmp_path):
    more = [
        qa_row("T1", "train", "Is this protein an enzyme?", "Yes.", 9),
        qa_row("T3", "train", "Is this protein an enzyme?", "Yes.", 9),
        qa_row("A1", "test_in_distribution", "Is this protein an enzyme?", "Asked.", 9),
    ]
    qa = write_conversations(tmp_path / "qa.parquet", [*QUESTIONS, *more])
    output = tmp_path / "p.parquet"
    predict_most_frequent([inputs[1], qa], output)
    rows = {row["id"]: row for row in read_table(output, "predictions").to_pylist()}
    found = {name: (row["prediction"], row["finish_reason"]) for name, row in rows.items()}
    assert found["qa:A1:9"] == ("Yes.", "same_question")
    assert found["qa:A3:1"] == ("Copper.", "same_question")
    # Copper., No. and Yes. twice each: the first by letters.
    assert found["qa:A3:2"] == ("Copper.", "constant")
    assert found["descriptions:A2"] == ("Far cousin.", "constant")
