"""Residue tokens: their ids, their rows, and a captioner that reads and writes with them."""

import pytest
import torch
from torch.nn import functional as F

from protscribe.errors import InputError
from protscribe.llm.pretrained import (
    identity,
    load_language_model,
    load_prompt_builder,
    vocabulary_size,
)
from protscribe.models.assembly import build_captioner
from protscribe.models.captioner import Captioner
from protscribe.models.checkpoint import load_captioner, save_model
from protscribe.models.proteins import Proteins
from protscribe.models.residue_rows import ResidueRows
from protscribe.models.sampling import Sampler
from protscribe.prompts import IGNORED_LABEL, PROTEIN_MARKER, PromptBuilder, Residues
from protscribe.prompts.residues import ALPHABET
from tiny_models import write_tiny_language_model

LORA = {"rank": 4, "alpha": 8, "dropout": 0.0, "targets": "all-linear"}
SYSTEM = {
    "encoder": None,
    "connector": None,
    "residues": {"max_residues": 8},
    "precision": "float32",
    "prompt": {},
    "tune": {"lora": LORA},
}
READ = [{"role": "user", "content": f"{PROTEIN_MARKER}\nWhat is it?"}]
ASK = [{"role": "user", "content": "Design one."}]
WRITTEN = [*ASK, {"role": "assistant", "content": f"Here:\n{PROTEIN_MARKER}"}]


@pytest.fixture(scope="module", params=["tied", "untied"])
def folder(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / request.param
    return write_tiny_language_model(path, tied=request.param == "tied")


@pytest.fixture
def captioner(folder):
    return build_captioner(SYSTEM, folder, input_size=None, precision="float32", lora=LORA, seed=1)[
        0
    ].eval()


def test_every_letter_of_a_sequence_has_an_id_of_its_own():
    residues = Residues(100)
    ids = residues.encode(ALPHABET)
    assert len(set(ids)) == len(ids) == residues.size == 28
    assert min(ids) == 100
    assert residues.decode(ids) == f"<protein>{ALPHABET}</protein>"
    assert set(ids[1:-1]) == set(residues.residue_ids)
    # The first residue is a residue token like all others.
    assert residues.encode("AA")[1] == residues.encode("AA")[2]


@pytest.mark.parametrize("sequence", ["", "AC*", "acd", "A-C"])
def test_what_is_no_sequence_is_refused(sequence):
    with pytest.raises(InputError, match=r"no residue|no protein"):
        Residues(9).encode(sequence)


def test_a_cut_protein_is_closed_only_where_it_is_read():
    proteins = Proteins(residues=Residues(50), sequences={"a": "ACDEFGHIKL"}, max_residues=4)
    (read,), written = proteins.prompt_ids(["a"]), proteins.answer_ids("a")
    assert read == [*written, 51]
    assert len(written) == 5
    with pytest.raises(InputError, match="lacks b"):
        proteins.prompt_ids(["b"])


def test_text_that_looks_like_residues_stays_text(folder):
    builder = load_prompt_builder(folder)
    with_residues = PromptBuilder(builder.tokenizer, Residues(vocabulary_size(folder)))
    text = [{"role": "user", "content": f"{PROTEIN_MARKER} <protein>ACD</protein>"}]
    protein = with_residues.residues.encode("ACD")
    ids = with_residues.prompt(text, protein)
    assert [i for i in ids if with_residues.residues.holds(i)] == protein


def test_prompts_and_examples_hold_the_protein_where_its_marker_stands(folder):
    builder = PromptBuilder(
        load_prompt_builder(folder).tokenizer, Residues(vocabulary_size(folder))
    )
    residues = builder.residues
    whole = residues.encode("ACD")
    prompt = builder.prompt(READ, whole)
    example = builder.example([*READ, {"role": "assistant", "content": "It."}], whole)
    assert example.input_ids[: len(prompt)] == prompt
    written = builder.example(WRITTEN, whole)
    asked = builder.prompt(ASK, ())
    assert written.input_ids[: len(asked)] == asked
    learned = [label for label in written.labels if label != IGNORED_LABEL]
    assert learned[-len(whole) - 1 :] == [*whole, builder.end_of_turn_id]
    assert builder.decode(learned) == "Here:\n<protein>ACD</protein>"
    # What comes after a cut protein is not known, so nothing of it is learned.
    cut = builder.example(WRITTEN, residues.encode("ACDEF", 3, closed=False))
    assert cut.truncated
    assert cut.labels[-1] == residues.encode("D")[1]
    with pytest.raises(InputError, match="exactly once"):
        builder.example([*ASK, {"role": "assistant", "content": "None."}], whole)
    with pytest.raises(InputError, match="must stand in a user turn"):
        load_prompt_builder(folder).example(WRITTEN, whole)


def test_fresh_rows_differ_and_lie_around_the_old_ones(folder):
    model = load_language_model(folder, precision="float32")
    rows = ResidueRows(model, seed=0)
    words = model.get_input_embeddings().weight
    assert len(torch.unique(rows.input, dim=0)) == 28
    spread = words.std(dim=0).mean()
    assert (rows.input.mean(dim=0) - words.mean(dim=0)).abs().mean() < spread
    assert torch.equal(rows.input, ResidueRows(model, seed=0).input)
    assert not torch.equal(rows.input, ResidueRows(model, seed=1).input)


def test_logits_and_loss_are_those_of_a_model_with_resized_embeddings(folder, captioner):
    """What transformers computes once the rows stand in its own tables."""
    rows = captioner.residues
    first = rows.residues.first_id
    ids = torch.tensor([[5, 6, *rows.residues.encode("ACD"), 7, 8]])
    labels = ids.clone()
    loss, count = captioner.answer_loss(ids, torch.ones_like(ids), labels, None)
    plain = load_language_model(folder, precision="float32")
    plain.resize_token_embeddings(first + rows.residues.size, mean_resizing=False)
    with torch.no_grad():
        plain.get_input_embeddings().weight[first:] = rows.input
        if rows.output is not None:
            plain.get_output_embeddings().weight[first:] = rows.output
    logits = plain(ids).logits
    wanted = F.cross_entropy(logits[0, :-1], ids[0, 1:], reduction="sum")
    assert count == ids.shape[1] - 1
    torch.testing.assert_close(loss, wanted, atol=1e-4, rtol=1e-5)


def test_only_new_rows_and_adapters_are_trained(captioner):
    ids = torch.tensor([[5, *captioner.residues.residues.encode("ACD")]])
    captioner.answer_loss(ids, torch.ones_like(ids), ids.clone(), None)[0].backward()
    trained = {name for name, p in captioner.named_parameters() if p.requires_grad}
    assert all(name.startswith("residues.") or "lora_" in name for name in trained)
    rows = captioner.residues
    gradient = (rows.input if rows.output is None else rows.output).grad
    assert (gradient.abs().sum(dim=1) > 0).all()
    assert captioner.causal_model.get_input_embeddings().weight.grad is None


def test_what_is_saved_loads_again(folder, captioner, tmp_path):
    with torch.no_grad():
        for name, p in captioner.named_parameters():
            if p.requires_grad:
                p.add_(
                    0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(len(name)))
                )
    save_model(
        tmp_path / "model",
        captioner,
        name="tiny",
        training_seed=0,
        system=SYSTEM,
        encoder=None,
        language_model=identity(folder),
        training={"examples": 1, "steps": 1},
    )
    loaded, builder, facts = load_captioner(tmp_path / "model", folder)
    assert facts["encoder"] is None
    ids = torch.tensor([builder.prompt(READ, builder.residues.encode("ACDEF"))])
    with torch.no_grad():
        ours, theirs = (
            model.token_losses(ids, torch.ones_like(ids), ids.clone(), None)
            for model in (captioner, loaded)
        )
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_a_model_trained_whole_loads_again(folder, tmp_path):
    system = SYSTEM | {"tune": {"lora": None}}
    whole, _ = build_captioner(
        system, folder, input_size=None, precision="float32", lora=None, whole=True, seed=0
    )
    with torch.no_grad():
        for p in whole.parameters():
            p.add_(0.01)
    save_model(
        tmp_path / "model",
        whole,
        name="tiny",
        training_seed=0,
        system=system,
        encoder=None,
        language_model=identity(folder),
        training={"examples": 1, "steps": 1},
    )
    loaded, _, _ = load_captioner(tmp_path / "model", folder)
    for (name, p), (_, q) in zip(whole.named_parameters(), loaded.named_parameters(), strict=True):
        assert torch.equal(p, q), name


def sampler_of(captioner: Captioner, **settings) -> Sampler:
    residues = captioner.residues.residues
    ids = torch.tensor(residues.encode("ACDEFGHIKLMNPQRSTVWY")[1:-1])
    return Sampler(ids, residues.close_id, **settings)


def designs(captioner, prompts, seeds):
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return captioner.design(
        prompts, None, sampler_of(captioner, min_residues=3, max_residues=9), generators
    )


def test_designs_are_residues_and_do_not_depend_on_their_company(captioner):
    opened = captioner.residues.residues.open_id
    prompts = [[5, 6, opened], [7, opened], [5, 8, 9, 10, opened]]
    together = designs(captioner, prompts, (1, 2, 3))
    alone = [designs(captioner, [p], (s,))[0] for p, s in zip(prompts, (1, 2, 3), strict=True)]
    assert together == alone
    assert designs(captioner, prompts[:1], (4,)) != together[:1]
    natural = set(captioner.residues.residues.encode("ACDEFGHIKLMNPQRSTVWY")[1:-1])
    for written in together:
        assert set(written.residues) <= natural
        assert 3 <= len(written.residues) <= 9
        assert written.finish_reason in ("closed", "length")
        if written.finish_reason == "length":
            assert len(written.residues) == 9


def test_answers_are_words_alone(captioner):
    prompt = [5, *captioner.residues.residues.encode("ACD")]
    with torch.no_grad():
        # However much the model would like to write residues.
        captioner.residues.input.mul_(100)
    ((ids, _),) = captioner.generate([prompt], None, 6)
    assert not any(captioner.residues.residues.holds(i) for i in ids)
