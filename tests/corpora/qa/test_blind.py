import math

import pytest
import torch

from helpers_pairs import pair, write_pairs
from protscribe.corpora.qa.blind import answer_losses, score_pairs
from protscribe.errors import InputError
from protscribe.llm.pretrained import load_language_model, load_prompt_builder
from protscribe.tables import read_metadata, read_table
from tiny_models import write_tiny_language_model

TEXTS = [
    ("What does this protein bind?", "This protein binds zinc ions."),
    ("What does this protein bind?", "ATP."),
    ("Where is this protein, in a cell that divides?", "In the nucleus, and later in the cytosol."),
    ("", "ATP."),
    ("Is it an enzyme?", "Yes; it hydrolyses the β-lactam's amide bond 🙂."),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_language_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def model(folder):
    return load_language_model(folder, precision="float32")


@pytest.fixture(scope="module")
def builder(folder):
    return load_prompt_builder(folder)


def run(folder, pairs, output, **options):
    settings = {"max_loss": 1.0, "batch_tokens": 2048, "device": "cpu", "threads": 1}
    score_pairs(pairs, output, language_model=folder, **(settings | options))
    return read_table(output, "qa_scores").to_pylist()


def test_losses_are_those_of_the_whole_model_one_by_one(model, builder):
    found = answer_losses(model, builder, TEXTS, 4096)
    for question, answer in TEXTS:
        text = builder.tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
        )
        assert text.endswith("assistant\n") and question in text
        prompt = builder.tokenizer(text, add_special_tokens=False)["input_ids"]
        ids = builder.tokenizer(answer, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logits = model(torch.tensor([prompt + ids])).logits[0].log_softmax(-1)
        at = range(len(prompt) - 1, len(prompt) + len(ids) - 1)
        loss = -sum(float(logits[i, j]) for i, j in zip(at, ids, strict=True)) / len(ids)
        tokens, mean = found[question, answer]
        assert tokens == len(ids)
        # Written with four digits.
        assert mean == pytest.approx(loss, abs=1e-4)


def test_batches_change_nothing(model, builder):
    together = answer_losses(model, builder, TEXTS, 4096)
    one_by_one = {}
    for text in TEXTS:
        one_by_one |= answer_losses(model, builder, [text], 4096)
    assert together.keys() == one_by_one.keys()
    for text, (tokens, loss) in together.items():
        assert one_by_one[text] == (tokens, pytest.approx(loss, abs=1.01e-4))


def test_answers_to_one_question_are_the_same_alone_and_together(model, builder):
    # So many that they have batches of their own, one of them cut off by the budget.
    texts = [("What does it bind?", f"It binds {'zinc ' * n}ions.") for n in range(1, 13)]
    together = answer_losses(model, builder, texts, 400)
    for text in texts:
        (alone,) = answer_losses(model, builder, [text], 4096).values()
        assert together[text] == (alone[0], pytest.approx(alone[1], abs=1.01e-4))


def work(model, builder, texts):
    """Return the tokens that the decoder and the output layer compute."""
    read, written = [], []
    hooks = [
        model.get_input_embeddings().register_forward_hook(
            lambda module, inputs, output: read.append(output.shape[0] * output.shape[1])
        ),
        model.get_output_embeddings().register_forward_hook(
            lambda module, inputs, output: written.append(len(output))
        ),
    ]
    found = answer_losses(model, builder, texts, 4096)
    for hook in hooks:
        hook.remove()
    assert sum(written) == sum(tokens for tokens, _ in found.values())
    return sum(read)


def test_logits_are_computed_at_the_answers_alone_and_once_per_text(model, builder):
    assert work(model, builder, [*TEXTS, *TEXTS]) == work(model, builder, TEXTS)


def test_what_prompts_share_is_read_once(model, builder):
    question = "What does this protein bind, in a cell that divides?"
    texts = [(question, f"Ion {n}.") for n in range(20)]
    answers = [len(builder.answer(answer)[0]) - 1 for _, answer in texts]
    text = builder.tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
    )
    prompt = builder.tokenizer(text, add_special_tokens=False)["input_ids"]
    # Each row reads its answer and the id before it.
    assert work(model, builder, texts) == len(prompt) - 1 + 20 * (1 + max(answers))


def test_every_pair_is_kept_and_the_known_ones_are_flagged(folder, tmp_path, capsys):
    rows = [pair("TRAIN1", 1), pair("TRAIN1", 2, answer="ATP."), pair("TEST1", 3)]
    pairs = write_pairs(tmp_path / "pairs.parquet", rows)
    first = run(folder, pairs, tmp_path / "all.parquet", max_loss=100.0)
    assert [row["id"] for row in first] == sorted(row["id"] for row in rows)
    assert all(row["answered_blind"] for row in first)
    assert "3 of 3 pairs (100.0%)" in capsys.readouterr().err
    # A pair counts from its own loss on, and the others do not.
    edge = sorted(row["blind_loss"] for row in first)[0]
    flagged = run(folder, pairs, tmp_path / "some.parquet", max_loss=edge)
    assert [row["answered_blind"] for row in flagged] == [
        row["blind_loss"] <= edge for row in first
    ]
    assert 0 < sum(row["answered_blind"] for row in flagged) < 3
    facts = read_metadata(tmp_path / "some.parquet")
    assert facts["blind_name"] == "tiny" and facts["blind_max_loss"] == str(edge)
    assert len(facts["blind_weights_sha256"]) == 64


def test_the_prior_does_not_depend_on_the_question(folder, tmp_path):
    rows = [pair("TRAIN1", 1), pair("TRAIN2", 2)]
    assert rows[0]["question"] != rows[1]["question"]
    scores = run(folder, write_pairs(tmp_path / "p.parquet", rows), tmp_path / "s.parquet")
    assert scores[0]["prior_loss"] == scores[1]["prior_loss"]
    assert scores[0]["blind_loss"] != scores[1]["blind_loss"]
    assert all(math.isfinite(row["blind_loss"]) for row in scores)


def test_the_end_of_turn_does_not_count(folder, builder, tmp_path):
    pairs = write_pairs(tmp_path / "p.parquet", [pair("TRAIN1", answer="ATP.")])
    scores = run(folder, pairs, tmp_path / "s.parquet")
    assert scores[0]["answer_tokens"] == len(builder.answer("ATP.")[0]) - 1


def test_two_runs_give_the_same_bytes(folder, tmp_path):
    rows = [pair("TRAIN1", n, answer=text) for n, (_, text) in enumerate(TEXTS)]
    pairs = write_pairs(tmp_path / "p.parquet", rows)
    for name in ("a", "b"):
        run(folder, pairs, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_table_without_pairs(folder, tmp_path):
    pairs = write_pairs(tmp_path / "p.parquet", [])
    assert run(folder, pairs, tmp_path / "s.parquet") == []


def test_a_pair_that_is_too_long_for_a_batch(folder, tmp_path):
    pairs = write_pairs(tmp_path / "p.parquet", [pair("TRAIN1", answer="zinc " * 300)])
    with pytest.raises(InputError, match="does not fit into batches of 64"):
        run(folder, pairs, tmp_path / "s.parquet", batch_tokens=64)
    assert not (tmp_path / "s.parquet").exists()


@pytest.mark.parametrize("column", ["question", "answer"])
def test_a_pair_that_lacks_a_text(folder, tmp_path, column):
    pairs = write_pairs(tmp_path / "p.parquet", [pair("TRAIN1", **{column: ""})])
    with pytest.raises(InputError, match="TRAIN1.* lacks its question or answer"):
        run(folder, pairs, tmp_path / "s.parquet")


def test_scaled_logits_are_refused(folder, builder):
    model = load_language_model(folder, precision="float32")
    model.config.logit_scale = 0.5
    with pytest.raises(InputError, match="logit_scale"):
        answer_losses(model, builder, TEXTS, 4096)


def test_a_folder_without_a_model(tmp_path):
    pairs = write_pairs(tmp_path / "p.parquet", [pair("TRAIN1")])
    with pytest.raises(InputError, match="get the model first|no tokenizer"):
        run(tmp_path, pairs, tmp_path / "s.parquet")
