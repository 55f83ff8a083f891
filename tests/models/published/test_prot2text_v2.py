"""The released layout of Prot2Text-V2 against the numbers of its own code."""

import shutil

import pytest
import torch
from safetensors.torch import load_file

from helpers_golden import close, load_golden, suggested_tolerances
from helpers_releases import PROT2TEXT_V2, embedded, made, part
from protscribe.atomic import read_json
from protscribe.embeddings.store import EmbeddingStore
from protscribe.models.checkpoint import load_captioner
from protscribe.models.connectors import pad_states
from protscribe.models.published.importing import import_model
from protscribe.prompts import PLACEHOLDER_ID, PromptStyle

SYSTEM = PROT2TEXT_V2 | {"connector": {"type": "projector", "hidden": 40, "token_norm": "l2"}}
STYLE = PromptStyle(
    "You describe what a protein does.", "Protein name: {name}; Taxon: {taxon}; <protein_sequence>"
)


def run(golden, release, root):
    """Take a release and its parts in; return store, captioner, prompt builder and facts."""
    folder = golden / "prot2text_v2"
    checkpoint = made("prot2text_v2", "checkpoint", release, root)
    esm = part("esm", "protein_encoder", checkpoint, folder / "tokenizer_esm", root)
    llama = part("llama", "language_model", checkpoint, folder / "tokenizer_llama", root)
    rows = read_json(folder / "rows.json")
    store = embedded(esm, root, {row["AlphaFoldDB"]: row["sequence"] for row in rows})
    options = {"name": "prot2text_v2", "system": SYSTEM, "training_seed": 0}
    import_model(checkpoint, store, llama, root / "model", **options)
    return EmbeddingStore(store), *load_captioner(root / "model", llama)


@pytest.fixture(scope="module")
def released(golden, tmp_path_factory):
    folder = golden / "prot2text_v2" / "checkpoint"
    return run(golden, folder, tmp_path_factory.mktemp("prot2text_v2"))


@pytest.fixture(scope="module")
def reference(golden):
    return load_golden(golden)


@pytest.fixture(scope="module")
def tolerance(golden):
    return suggested_tolerances(golden / "prot2text_v2")


def rows_of(golden):
    return read_json(golden / "prot2text_v2" / "rows.json")


def states_of(golden, store):
    return [store[row["AlphaFoldDB"]] for row in rows_of(golden)]


def prompts_of(golden, builder, states):
    turns = [
        [
            {"role": "system", "content": STYLE.system_message},
            {"role": "user", "content": STYLE.user_turn(row["Full Name"], row["taxon"])},
        ]
        for row in rows_of(golden)
    ]
    return [
        builder.prompt(t, [PLACEHOLDER_ID] * len(s)) for t, s in zip(turns, states, strict=True)
    ]


def test_its_encoder_and_projector(golden, released, reference, tolerance):
    store, captioner, _, _ = released
    states = states_of(golden, store)
    for ours, theirs in zip(states, reference.states, strict=True):
        close(ours, theirs, tolerance["encoder.last_hidden_state"])
    padded, mask = pad_states(states, torch.device("cpu"))
    tokens, _ = captioner.connector(padded, mask)
    close(tokens[mask], reference.expected["adapter.output"][mask], tolerance["adapter.output"])


def test_its_prompts(golden, released, reference):
    store, _, builder, _ = released
    assert prompts_of(golden, builder, states_of(golden, store)) == reference.prompts()


def test_its_prompt_without_name_and_taxon(golden, released):
    store, _, builder, _ = released
    file = golden / "prot2text_v2" / "collater_expected.safetensors"
    expected = load_file(file)
    prefix = "train_embeddings_only"
    states = states_of(golden, store)
    for row, own in enumerate(states):
        mask = expected[f"{prefix}.attention_mask"][row].bool()
        ids = expected[f"{prefix}.input_ids"][row][mask]
        ids = ids[expected[f"{prefix}.labels"][row][mask] == -100].tolist()
        turns = [
            {"role": "system", "content": STYLE.system_message},
            {"role": "user", "content": "<protein_sequence>"},
        ]
        found = builder.prompt(turns, [PLACEHOLDER_ID] * len(own))
        assert found == [PLACEHOLDER_ID if i == 499 else i for i in ids]


def test_its_answers(golden, released, reference, tolerance):
    store, captioner, builder, facts = released
    steps = []
    head = captioner.causal_model.get_output_embeddings()
    hook = head.register_forward_hook(lambda module, args, output: steps.append(output))
    states = states_of(golden, store)
    answers = captioner.generate(prompts_of(golden, builder, states), states, 12)
    hook.remove()
    assert [ids for ids, _ in answers] == reference.expected["generate.greedy12"].tolist()
    close(
        torch.stack(steps, dim=1),
        reference.expected["generate.greedy12_step_logits"],
        tolerance["generate.greedy12_step_logits"],
    )
    assert facts["release"]["name"] == "prot2text_v2"


def test_the_plain_state_dict_is_the_same(golden, released, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    shutil.copy(golden / "prot2text_v2" / "model_checkpoint_1.pt", own)
    shutil.copy(golden / "prot2text_v2" / "checkpoint" / "config.json", own)
    _, captioner, _, _ = run(golden, own, tmp_path)
    for name, tensor in released[1].state_dict().items():
        assert torch.equal(captioner.state_dict()[name], tensor), name
