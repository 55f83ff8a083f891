"""A GGUF file becomes a plain folder that computes the same."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from protscribe.errors import InputError
from protscribe.sources.gguf import convert_gguf
from tiny_gguf import write_gguf
from tiny_models import write_tiny_language_model


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    return write_tiny_language_model(tmp_path_factory.mktemp("models") / "lm")


def test_converted_model_computes_what_the_original_does(model_folder, tmp_path):
    folder = tmp_path / "converted"
    folder.mkdir()
    convert_gguf(write_gguf(model_folder, tmp_path / "tiny.gguf"), folder)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {
        path.name for path in folder.iterdir()
    }
    assert "gguf" not in (folder / "config.json").read_text()
    original = AutoModelForCausalLM.from_pretrained(model_folder).eval()
    converted = AutoModelForCausalLM.from_pretrained(folder).eval()
    before = AutoTokenizer.from_pretrained(model_folder)
    after = AutoTokenizer.from_pretrained(folder)
    assert after.chat_template == before.chat_template
    assert (after.eos_token, after.pad_token) == (before.eos_token, before.pad_token)
    turns = [{"role": "user", "content": "Describe the protein."}]
    ids = [t.apply_chat_template(turns, return_dict=True)["input_ids"] for t in (before, after)]
    assert ids[0] == ids[1]
    batch = torch.tensor([ids[0]])
    with torch.inference_mode():
        assert torch.allclose(original(batch).logits, converted(batch).logits, atol=1e-6)


@pytest.mark.parametrize(("pre", "alone"), [("smollm", True), ("gpt-2", False)])
def test_digits_stand_alone_where_the_model_was_trained_so(model_folder, tmp_path, pre, alone):
    folder = tmp_path / "converted"
    folder.mkdir()
    convert_gguf(write_gguf(model_folder, tmp_path / "tiny.gguf", pre), folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    pieces = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str("p 123")
    assert ([piece for piece, _ in pieces][-3:] == ["1", "2", "3"]) is alone


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"<html>")
    with pytest.raises(InputError, match=r"model\.gguf: not a GGUF file"):
        convert_gguf(path, tmp_path)
    path.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(InputError, match=r"model\.gguf: transformers cannot read it"):
        convert_gguf(path, tmp_path)
