import math

import pytest
import torch
import transformers

from protscribe.atomic import read_json, write_json
from protscribe.errors import InputError
from protscribe.evaluation.design.pseudo_perplexity import pseudo_perplexity
from tiny_models import ESM_VOCABULARY, write_tiny_encoder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return write_tiny_encoder(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def with_head(encoder, tmp_path_factory):
    """The same encoder with a random language-model head."""
    folder = tmp_path_factory.mktemp("models") / "headed"
    torch.manual_seed(0)
    model = transformers.EsmForMaskedLM.from_pretrained(encoder)
    with torch.no_grad():
        for parameter in model.lm_head.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(ESM_VOCABULARY))
    write_json(folder / "manifest.json", read_json(encoder / "manifest.json"))
    return folder


def ask(folder, sequences, batch_tokens=1000):
    return pseudo_perplexity(folder, sequences, device="cpu", batch_tokens=batch_tokens)


def test_each_residue_is_predicted_from_all_others(with_head):
    sequence = "MKVLAWY"
    model = transformers.EsmForMaskedLM.from_pretrained(with_head).eval()
    ids = torch.tensor([ESM_VOCABULARY.index(t) for t in ("<cls>", *sequence, "<eos>")])
    loss = 0.0
    for place in range(1, len(sequence) + 1):
        masked = ids.clone()
        masked[place] = ESM_VOCABULARY.index("<mask>")
        with torch.no_grad():
            logits = model(input_ids=masked[None]).logits[0, place]
        loss -= float(torch.log_softmax(logits, 0)[ids[place]])
    found = ask(with_head, [sequence])
    assert found.tolist() == pytest.approx([math.exp(loss / len(sequence))], rel=1e-4)
    # A head that knows nothing at all would give the size of the vocabulary.
    assert abs(found[0] - len(ESM_VOCABULARY)) > 1


def test_neither_batches_nor_neighbours_matter(with_head):
    sequences = ["MKVLAWYACDEF", "", "ACD"]
    together = ask(with_head, sequences)
    assert math.isnan(together[1])
    small = ask(with_head, sequences[::-1], batch_tokens=20)[::-1]
    assert together.tolist() == pytest.approx(small.tolist(), rel=1e-5, nan_ok=True)
    assert ask(with_head, []).shape == (0,)


def test_an_encoder_without_its_head_is_refused(encoder):
    with pytest.raises(InputError, match=r"tiny has no language-model head \(lacks lm_head\."):
        ask(encoder, ["MKV"])


def test_other_models_are_refused(encoder, tmp_path):
    write_json(
        tmp_path / "manifest.json", {"name": "x", "weights_sha256": "0", "format": "fair-esm"}
    )
    with pytest.raises(InputError, match="this is fair-esm"):
        ask(tmp_path, ["MKV"])
    with pytest.raises(InputError, match="get the model first"):
        ask(tmp_path / "nowhere", ["MKV"])


def test_letters_that_are_none_are_refused(with_head):
    with pytest.raises(InputError, match="character '-' at position 3"):
        ask(with_head, ["MK-V"])
