import random
from itertools import groupby

import pytest
import torch

from helpers_evaluation import fill, write_proteins
from protscribe.atomic import sha256_file, sha256_text
from protscribe.embeddings.store import EmbeddingStore, embed_proteins
from protscribe.errors import InputError
from protscribe.evaluation import option_work
from protscribe.evaluation.asked_proteins import protein_key, write_asked_proteins
from protscribe.evaluation.classification.tasks import binding_words, pairing_words, term_words
from protscribe.evaluation.option_likelihoods import score_language_model, score_options
from protscribe.llm.pretrained import (
    hidden_size,
    identity,
    load_language_model,
    load_prompt_builder,
)
from protscribe.models.captioner import Captioner
from protscribe.models.checkpoint import encoder_facts, load_captioner, save_model
from protscribe.models.connectors import build_connector
from protscribe.models.residue_rows import ResidueRows
from protscribe.prompts import PLACEHOLDER_ID
from protscribe.tables import read_metadata, read_table, write_table
from tiny_models import write_tiny_encoder, write_tiny_language_model

STYLE = {
    "system_message": "You describe what a protein does.",
    "user_template": "Protein <protein_sequence>",
    "question": "Describe the function of this protein:",
    "format": "chat",
}
CONNECTOR = {"type": "projector", "hidden": 24, "activation": "gelu", "token_norm": "l2"}
CUT = 20
MORE = {"precision": "float32", "tune": {}}
ENCODER_SYSTEM = MORE | {"connector": CONNECTOR, "prompt": STYLE}
RESIDUE_SYSTEM = MORE | {
    "connector": None,
    "prompt": STYLE | {"system_message": "", "user_template": "<protein_sequence>"},
    "residues": {"max_residues": CUT},
}
NAMES = {"F1": "kinase family", "F2": "receptor domain", "F3": "the membrane complex"}


def make_model(folder, system, language_model, manifest, seed):
    """Write a finished model with random weights in its connector or its residue rows."""
    torch.manual_seed(seed)
    model = load_language_model(language_model, precision="float32")
    connector = rows = None
    if system["connector"]:
        connector = build_connector(
            system["connector"], manifest["dim"], hidden_size(language_model)
        )
    else:
        rows = ResidueRows(model, seed)
        with torch.no_grad():
            rows.input.normal_(std=0.3)
    save_model(
        folder,
        Captioner(model, connector, load_prompt_builder(language_model).end_of_turn_id, rows),
        name=folder.parent.name,
        training_seed=seed,
        system=system,
        encoder=encoder_facts(manifest),
        language_model=identity(language_model),
        training={"examples": 11, "steps": 20 + seed},
    )


def embed(root, proteins, layer=2):
    store = root / f"store-{layer}-{proteins}"
    embed_proteins(
        root / f"{proteins}.parquet",
        root / "encoder",
        store,
        cache=root / "cache",
        layer=layer,
        max_residues=40,
        special_tokens=True,
        dtype="float32",
        batch_tokens=512,
        shard_tokens=10_000,
        device="cpu",
        threads=1,
    )
    return store


def question_rows(sequences):
    """Return questions of all kinds about own proteins (P...) and published ones (others)."""
    rows = []

    def add(task, name, key, words):
        own = name.startswith("P")
        fold = "test_low_homology" if own else "test_published"
        about = {"task": task, "fold": fold, "accession": name if own else None}
        rows.append(fill("questions", about | {"id": f"{task}:{name}:{key}"} | words))

    for name, sequence in sequences.items():
        for term, text in (("GO:1", "zinc ion binding"), ("GO:2", "transport of the membrane")):
            words = term_words(sequence, term, text, term == "GO:1")
            add("go_molecular_function", name, term, words)
        add("location_2", name, "", binding_words(sequence, 0))
        key = f"pairing:{name}:"
        add("pairing", name, "", pairing_words(sequence, "F1", ["F2", "F3"], NAMES, key=key))
    return rows


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("house")
    write_tiny_encoder(root / "encoder")
    write_tiny_language_model(root / "language_model")
    rng = random.Random(0)
    sequences = {
        name: "".join(rng.choices("ACDEFGHIKLMNPQRSTVWY", k=rng.randint(12, 30)))
        for name in ("P1", "P2", "P3", "chain")
    }
    own = {name: text for name, text in sequences.items() if name.startswith("P")}
    write_proteins(root / "proteins.parquet", own)
    write_table(root / "questions.parquet", "questions", question_rows(sequences))
    write_asked_proteins([root / "questions.parquet"], root / "asked.parquet")
    stores = [embed(root, "proteins"), embed(root, "asked")]
    manifest = EmbeddingStore(stores[0]).manifest
    for seed in (0, 1):
        path = root / "models" / "projector" / str(seed)
        make_model(path, ENCODER_SYSTEM, root / "language_model", manifest, seed)
    make_model(root / "models/residues/0", RESIDUE_SYSTEM, root / "language_model", None, 0)
    return root


def score(house, output, predictor="projector", seeds=(0,), **changes):
    stores = [house / "store-2-proteins", house / "store-2-asked"]
    settings = {
        "predictor": predictor,
        "batch_tokens": 400,
        "state": output.with_suffix(".state"),
        "device": "cpu",
        "threads": 1,
        "stores": stores if predictor == "projector" else [],
    }
    models = {seed: house / "models" / predictor / str(seed) for seed in seeds}
    questions = changes.pop("questions", house / "questions.parquet")
    score_options(
        changes.pop("models", models),
        house / "language_model",
        [questions],
        output,
        **(settings | changes),
    )
    rows = read_table(output, "option_scores").to_pylist()
    return {(row["condition"], row["id"], row["training_seed"]): row for row in rows}


def asked(house):
    rows = read_table(house / "questions.parquet", "questions").to_pylist()
    return {row["id"]: row for row in rows}


def trained_on(captioner, builder, turns, protein, states, count):
    """Return the log-likelihood of so many ids before the end of what a system is trained on."""
    example = builder.example(turns, protein)
    ids, labels = torch.tensor([example.input_ids]), torch.tensor([example.labels])
    states = None if states is None else [states]
    with torch.no_grad():
        losses = captioner.token_losses(ids, torch.ones_like(ids), labels, states)
    closed = example.labels[-1] == builder.end_of_turn_id
    losses = losses[:-1] if closed else losses
    return -float(losses[-count:].sum())


def conversation(system, row, option):
    style = system["prompt"]
    content = f"<protein_sequence>\n{row['question']}"
    turns = [
        {"role": "system", "content": style["system_message"]},
        {"role": "user", "content": style["user_template"].replace("<protein_sequence>", content)},
        {"role": "assistant", "content": f"{row['lead']} {option}"},
    ]
    return turns if style["system_message"] else turns[1:]


@pytest.mark.parametrize(
    ("predictor", "system"), [("projector", ENCODER_SYSTEM), ("residues", RESIDUE_SYSTEM)]
)
def test_likelihoods_are_those_of_whole_training_examples(house, tmp_path, predictor, system):
    rows = score(house, tmp_path / "scores.parquet", predictor)
    captioner, builder, _ = load_captioner(
        house / "models" / predictor / "0", house / "language_model"
    )
    stores = [EmbeddingStore(house / f"store-2-{name}") for name in ("proteins", "asked")]
    checked = 0
    for row in asked(house).values():
        if row["task"] == "pairing":
            continue
        key = row["accession"] or f"sequence:{sha256_text(row['sequence'])}"
        states = None
        if predictor == "projector":
            states = next(store[key] for store in stores if key in store)
            protein = [PLACEHOLDER_ID] * len(states)
        else:
            protein = builder.residues.encode(row["sequence"], CUT)
        found = rows["sequence", row["id"], 0]
        blind = rows["blind", row["id"], 0]
        assert blind["log_likelihoods"] == found["prior_log_likelihoods"]
        assert blind["prior_log_likelihoods"] == blind["log_likelihoods"]
        for number, option in enumerate(row["options"]):
            text = builder.tokenizer(f" {option}", add_special_tokens=False)["input_ids"]
            assert found["tokens"][number] == blind["tokens"][number] == len(text)
            turns = conversation(system, row, option)
            expected = trained_on(captioner, builder, turns, protein, states, len(text))
            assert found["log_likelihoods"][number] == pytest.approx(expected, abs=1e-4)
            expected = trained_on(captioner, builder, turns, (), None, len(text))
            assert found["prior_log_likelihoods"][number] == pytest.approx(expected, abs=1e-4)
            checked += 1
    assert checked == 4 * 3 * 2
    # The protein makes a difference.
    binding = [rows["sequence", f"location_2:P{i}:", 0]["log_likelihoods"][0] for i in (1, 2, 3)]
    assert len({round(value, 3) for value in binding}) == 3
    assert read_metadata(tmp_path / "scores.parquet") == {
        "predictor": predictor,
        "training_examples": "11",
        "training_steps": "20",
    }
    assert not (tmp_path / "scores.state").exists()


def test_a_pairing_is_decided_by_the_likelihood_of_the_protein(house, tmp_path):
    rows = score(house, tmp_path / "scores.parquet", "residues")
    captioner, builder, _ = load_captioner(house / "models/residues/0", house / "language_model")
    pairings = [row for row in asked(house).values() if row["task"] == "pairing"]
    assert len(pairings) == 4
    cut = 0
    for row in pairings:
        found = rows["sequence", row["id"], 0]
        assert ("blind", row["id"], 0) not in rows
        assert found["prior_log_likelihoods"] is None
        protein = builder.residues.encode(row["sequence"], CUT, closed=False)
        cut += protein[-1] != builder.residues.close_id
        assert found["tokens"] == [len(protein)] * 3
        for option, value in zip(row["options"], found["log_likelihoods"], strict=True):
            turns = [
                {"role": "user", "content": option},
                {"role": "assistant", "content": f"{row['lead']} <protein_sequence>"},
            ]
            expected = trained_on(captioner, builder, turns, protein, None, len(protein))
            assert value == pytest.approx(expected, abs=1e-3)
        assert len({round(value, 3) for value in found["log_likelihoods"]}) == 3
    assert 0 < cut < 4


def test_a_system_without_residue_tokens_leaves_pairings_out(house, tmp_path, capfd):
    rows = score(house, tmp_path / "scores.parquet")
    assert {row["task"] for row in rows.values()} == {"go_molecular_function", "location_2"}
    assert "projector 0: 4 questions are left out" in capfd.readouterr().err


def test_every_question_has_one_row_per_seed_and_condition(house, tmp_path):
    rows = score(house, tmp_path / "scores.parquet", seeds=(0, 1))
    ids = [key for key, row in asked(house).items() if row["task"] != "pairing"]
    assert set(rows) == {
        (condition, key, seed)
        for condition in ("sequence", "blind")
        for key in ids
        for seed in (0, 1)
    }
    for (_, key, _), row in rows.items():
        question = asked(house)[key]
        assert all(row[name] == question[name] for name in ("task", "fold", "accession"))
    values = [rows["sequence", "location_2:P1:", seed]["log_likelihoods"] for seed in (0, 1)]
    assert values[0] != values[1]
    assert read_metadata(tmp_path / "scores.parquet")["training_steps"] == "21"
    one = score(house, tmp_path / "one.parquet", seeds=(0, 1), conditions=["sequence"])
    assert one == {key: row for key, row in rows.items() if key[0] == "sequence"}
    other = score(house, tmp_path / "other.parquet", seeds=(0, 1), conditions=["blind"])
    assert other == {key: row for key, row in rows.items() if key[0] == "blind"}


def test_the_prior_is_computed_once_for_all_proteins(house, tmp_path, monkeypatch):
    calls, compute = [], option_work.option_log_likelihoods

    def counted(captioner, prefix, **options):
        calls.append(prefix)
        return compute(captioner, prefix, **options)

    monkeypatch.setattr(option_work, "option_log_likelihoods", counted)
    rows = score(house, tmp_path / "scores.parquet")
    with_protein = [prefix for prefix in calls if prefix.states is not None]
    (prior,) = [prefix for prefix in calls if prefix.states is None]
    # Three different questions about each of four proteins.
    assert len(prior.questions) == 3
    assert [len(prefix.questions) for prefix in with_protein] == [3] * 4
    sizes = [len(prefix.ids) for prefix in with_protein]
    assert sizes == sorted(sizes, reverse=True)
    priors = {
        tuple(row["prior_log_likelihoods"])
        for (condition, _, _), row in rows.items()
        if condition == "sequence"
    }
    assert len(priors) == 3


def test_the_size_of_batches_changes_nothing(house, tmp_path):
    small = score(house, tmp_path / "small.parquet", "residues", batch_tokens=95)
    large = score(house, tmp_path / "large.parquet", "residues", batch_tokens=5000)
    assert set(small) == set(large)
    for key, row in small.items():
        assert row["tokens"] == large[key]["tokens"]
        assert row["log_likelihoods"] == pytest.approx(large[key]["log_likelihoods"], abs=1e-4)


def test_an_interrupted_job_goes_on_where_it_stopped(house, tmp_path, monkeypatch):
    monkeypatch.setattr(option_work, "_PART", 4)
    score(house, tmp_path / "whole.parquet", "residues")
    calls, compute = [], option_work.option_log_likelihoods

    def counted(captioner, prefix, **options):
        calls.append([question.key for question in prefix.questions])
        if len(calls) == 5:
            raise KeyboardInterrupt
        return compute(captioner, prefix, **options)

    monkeypatch.setattr(option_work, "option_log_likelihoods", counted)
    state = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        score(house, tmp_path / "scores.parquet", "residues", state=state)
    assert not (tmp_path / "scores.parquet").exists()
    before = calls[:4]
    assert len(list((state / "0").rglob("part-*.json"))) == 2
    calls[:] = [[]] * 5
    score(house, tmp_path / "scores.parquet", "residues", state=state)
    after = calls[5:]
    # The prior and the first part stay; what was not yet a whole part is done again.
    assert before[0] not in after
    assert before[1] not in after
    assert len(before) + len(after) < 2 * 9
    assert sha256_file(tmp_path / "scores.parquet") == sha256_file(tmp_path / "whole.parquet")


def test_state_of_other_questions_is_no_answer(house, tmp_path):
    state = tmp_path / "state"
    kept = state / "0" / "prior" / "part-000000.json"
    kept.parent.mkdir(parents=True)
    kept.write_text('{"q": {"log_likelihoods": [0.0], "tokens": [1]}}')
    with pytest.raises(RuntimeError, match="other scores than asked for"):
        score(house, tmp_path / "scores.parquet", state=state)


def test_published_proteins_get_a_key_of_their_own(house):
    rows = list(asked(house).values())
    keys = {protein_key(row) for row in rows}
    published = [row for row in rows if row["accession"] is None]
    key = f"sequence:{sha256_text(published[0]['sequence'])}"
    assert keys == {"P1", "P2", "P3", key}
    (row,) = read_table(house / "asked.parquet", "proteins").to_pylist()
    assert (row["accession"], row["sequence"]) == (key, published[0]["sequence"])
    assert row["length"] == len(row["sequence"])


def test_a_prompt_that_names_the_protein_needs_the_table(house, tmp_path):
    named = STYLE | {"user_template": "{name} of {taxon}: <protein_sequence>"}
    system = ENCODER_SYSTEM | {"prompt": named}
    manifest = EmbeddingStore(house / "store-2-proteins").manifest
    folder = tmp_path / "named" / "0"
    make_model(folder, system, house / "language_model", manifest, 0)
    rows = [
        fill("proteins", {"accession": f"P{i}", "protein_name": name, "organism": "Homo sapiens"})
        for i, name in ((1, "Kinase"), (2, "Receptor"), (3, "Kinase"))
    ]
    write_table(tmp_path / "proteins.parquet", "proteins", rows)
    settings = {"models": {0: folder}, "predictor": "named"}
    settings["stores"] = [house / "store-2-proteins", house / "store-2-asked"]
    with pytest.raises(InputError, match="give the proteins table"):
        score(house, tmp_path / "scores.parquet", **settings)
    found = score(
        house, tmp_path / "scores.parquet", proteins=tmp_path / "proteins.parquet", **settings
    )
    captioner, builder, _ = load_captioner(folder, house / "language_model")
    for protein, name in (("P1", "Kinase of Homo"), ("chain", "unknown of unknown")):
        row = asked(house)[f"location_2:{protein}:"]
        content = f"{name}: <protein_sequence>\n{row['question']}"
        turns = [
            {"role": "system", "content": STYLE["system_message"]},
            {"role": "user", "content": content},
            {"role": "assistant", "content": "The protein is soluble"},
        ]
        count = found["blind", row["id"], 0]["tokens"][1]
        expected = trained_on(captioner, builder, turns, (), None, count)
        assert found["blind", row["id"], 0]["log_likelihoods"][1] == pytest.approx(
            expected, abs=1e-4
        )
    priors = [found["blind", f"location_2:P{i}:", 0]["log_likelihoods"] for i in (1, 2, 3)]
    assert priors[0] == priors[2] != priors[1]
    write_table(tmp_path / "proteins.parquet", "proteins", rows[1:])
    with pytest.raises(InputError, match="lacks P1, which a question is about"):
        score(
            house, tmp_path / "scores.parquet", proteins=tmp_path / "proteins.parquet", **settings
        )


def write_questions(path, house, **changes):
    """Write the questions with one of them changed."""
    rows = asked(house)
    rows["location_2:P2:"] |= changes
    write_table(path, "questions", list(rows.values()))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": ["soluble", " soluble "]}, "question location_2:P2:.* more than once"),
        ({"question": None}, "question location_2:P2: is empty"),
        ({"accession": "Q9"}, "no embedding of protein Q9"),
        ({"question": "Is it <protein_sequence>?"}, "question location_2:P2:.* exactly once"),
        ({"question": "What? " * 200}, "question location_2:P2:.* raise the token budget"),
    ],
)
def test_a_question_that_cannot_be_asked_is_an_error(house, tmp_path, changes, message):
    path = write_questions(tmp_path / "questions.parquet", house, **changes)
    with pytest.raises(InputError, match=message):
        score(house, tmp_path / "scores.parquet", questions=path)
    assert not (tmp_path / "scores.parquet").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conditions": ["shuffled"]}, "allowed: sequence, blind"),
        ({"conditions": []}, "the conditions are empty"),
        ({"stores": []}, "trained on other embeddings than none at all"),
        ({"predictor": "residues", "models": "projector"}, "is the model projector of"),
    ],
)
def test_what_does_not_belong_together_is_an_error(house, tmp_path, changes, message):
    if "models" in changes:
        changes = changes | {"models": {0: house / "models" / changes["models"] / "0"}}
    with pytest.raises(InputError, match=message):
        score(house, tmp_path / "scores.parquet", **changes)


def test_embeddings_for_a_system_without_encoder_are_an_error(house, tmp_path):
    with pytest.raises(InputError, match="residues was trained on other embeddings"):
        score(house, tmp_path / "scores.parquet", "residues", stores=[house / "store-2-proteins"])


def test_embeddings_of_another_layer_are_an_error(house, tmp_path):
    stores = [embed(house, "proteins", layer=1), house / "store-2-asked"]
    with pytest.raises(InputError, match="trained on other embeddings"):
        score(house, tmp_path / "scores.parquet", stores=stores)


def test_the_language_model_answers_from_the_question_alone(house, tmp_path):
    output = tmp_path / "scores.parquet"
    score_language_model(
        house / "language_model",
        [house / "questions.parquet"],
        output,
        predictor="language_model_tiny",
        batch_tokens=300,
        state=tmp_path / "state",
        device="cpu",
        threads=1,
    )
    rows = read_table(output, "option_scores").to_pylist()
    assert {row["condition"] for row in rows} == {"sequence"}
    assert {row["training_seed"] for row in rows} == {0}
    assert {row["predictor"] for row in rows} == {"language_model_tiny"}
    assert len(rows) == 4 * 3
    builder = load_prompt_builder(house / "language_model")
    model = load_language_model(house / "language_model", precision="float32")
    captioner = Captioner(model, None, builder.end_of_turn_id)
    plain = {"prompt": {"system_message": "", "user_template": "<protein_sequence>"}}
    for row in rows:
        question = asked(house)[row["id"]]
        assert row["prior_log_likelihoods"] == row["log_likelihoods"]
        for option, count, value in zip(
            question["options"], row["tokens"], row["log_likelihoods"], strict=True
        ):
            turns = conversation(plain, question, option)
            expected = trained_on(captioner, builder, turns, (), None, count)
            assert value == pytest.approx(expected, abs=1e-4)
    for _, same in groupby(sorted(rows, key=lambda row: row["task"]), lambda row: row["task"]):
        tasks = [tuple(row["log_likelihoods"]) for row in same]
        assert len(set(tasks)) < len(tasks)
    assert read_metadata(output) == {
        "predictor": "language_model_tiny",
        "training_examples": "0",
        "training_steps": "0",
    }
    assert not (tmp_path / "state").exists()
