import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from protscribe.corpora.qa.support import TextEncoder
from protscribe.errors import InputError
from tiny_models import write_tiny_bert

TEXTS = ["It binds DNA.", "It binds the 5′ end of DNA and RNA, and cuts both.", "α", ""]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_bert(tmp_path_factory.mktemp("model") / "bert")


def test_vectors_are_means_over_tokens(folder):
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    vectors = TextEncoder(folder).encode(TEXTS)
    for text, vector in zip(TEXTS, vectors, strict=True):
        with torch.no_grad():
            hidden = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        mean = hidden.mean(dim=0)
        assert np.allclose(vector, mean / mean.norm(), atol=1e-5)


def test_order_and_repetition_change_nothing(folder):
    encoder = TextEncoder(folder)
    forward = encoder.encode(TEXTS)
    assert (encoder.encode([*TEXTS[::-1], TEXTS[0]])[:-1][::-1] == forward).all()


def test_similarities(folder):
    encoder = TextEncoder(folder)
    same, other = encoder.similarities([(TEXTS[0], TEXTS[0]), (TEXTS[0], TEXTS[1])])
    assert same == pytest.approx(1.0, abs=1e-5) and other < same
    assert encoder.similarities([]) == []


def test_long_texts_are_cut(folder):
    assert np.isfinite(TextEncoder(folder).encode(["DNA " * 5000])).all()


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(InputError, match="no text encoder"):
        TextEncoder(tmp_path)
