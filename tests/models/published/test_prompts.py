"""The published prompts, and the same ids in training as at inference."""

import pytest

from protscribe.errors import InputError
from protscribe.llm.pretrained import load_prompt_builder
from protscribe.models.published.prompts import (
    QUESTION,
    SYSTEM_MESSAGE,
    Prot2TextV2Prompts,
    Protein2TextPrompts,
    prompt_builder,
)
from protscribe.prompts import PLACEHOLDER_ID, PromptBuilder
from tiny_models import write_tiny_language_model


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = write_tiny_language_model(tmp_path_factory.mktemp("models") / "tiny")
    return load_prompt_builder(folder).tokenizer


def user(content):
    return {"role": "user", "content": content}


def text(tokenizer, ids):
    """Decode ids, with an @ for each placeholder."""
    mark = tokenizer.encode("@", add_special_tokens=False)
    flat = [i for one in ids for i in (mark if one == PLACEHOLDER_ID else [one])]
    return tokenizer.decode(flat)


def test_a_system_chooses_its_format(tokenizer):
    for prompt, kind in (
        ({}, PromptBuilder),
        ({"format": "chat"}, PromptBuilder),
        ({"format": "protein2text"}, Protein2TextPrompts),
        ({"format": "prot2text_v2"}, Prot2TextV2Prompts),
    ):
        assert type(prompt_builder(prompt, tokenizer)) is kind
    with pytest.raises(InputError, match="is 'vicuna'; allowed: chat, instruction, protein2text"):
        prompt_builder({"format": "vicuna"}, tokenizer)


def test_protein2text_asks_outside_the_chat_template(tokenizer):
    builder = Protein2TextPrompts(tokenizer)
    found = text(
        tokenizer, builder.prompt([user("<protein_sequence>\nWhere is it?")], [PLACEHOLDER_ID] * 3)
    )
    assert found == (
        "<|im_start|>@@@\n\n"
        "            <|start_header_id|>user<|end_header_id|>\n"
        "            Where is it?\n"
        "            <|eot_id|>\n"
        "            <|start_header_id|>assistant<|end_header_id|>\n"
        "            \n"
    )
    bare = text(tokenizer, builder.prompt([user("<protein_sequence>")], [PLACEHOLDER_ID] * 1))
    assert f"            {QUESTION}\n" in bare


def test_prot2text_v2_puts_its_words_around_the_protein(tokenizer):
    builder = Prot2TextV2Prompts(tokenizer)
    found = text(tokenizer, builder.prompt([user("<protein_sequence>")], [PLACEHOLDER_ID] * 3))
    assert found == (
        f"<|im_start|>system\n{SYSTEM_MESSAGE}<|im_end|>\n"
        "<|im_start|>user\nSequence embeddings: @@@<|im_end|>\n<|im_start|>assistant\n"
    )
    own = [{"role": "system", "content": "Describe."}, user("Taxon: E; <protein_sequence>")]
    found = text(tokenizer, builder.prompt(own, [PLACEHOLDER_ID] * 1))
    assert "system\nDescribe.<|im_end|>" in found
    assert "user\nTaxon: E; Sequence embeddings: @<|im_end|>" in found
    # What is the published form already stays as it is.
    again = [own[0], user("Taxon: E; Sequence embeddings: <protein_sequence>")]
    assert builder.prompt(again, [PLACEHOLDER_ID] * 1) == builder.prompt(own, [PLACEHOLDER_ID] * 1)


@pytest.mark.parametrize("format", ["protein2text", "prot2text_v2"])
def test_prompt_of_training_equals_prompt_of_inference(tokenizer, format):
    builder = prompt_builder({"format": format}, tokenizer)
    turns = [user("<protein_sequence>\nWhy?"), {"role": "assistant", "content": "Binds DNA."}]
    example = builder.example(turns, [PLACEHOLDER_ID] * 4)
    prompt = builder.prompt(turns[:-1], [PLACEHOLDER_ID] * 4)
    assert example.input_ids[: len(prompt)] == prompt
    assert builder.decode(example.input_ids[len(prompt) :]) == "Binds DNA."
    assert example.labels[len(prompt) :] == example.input_ids[len(prompt) :]
    assert set(example.labels[: len(prompt)]) == {-100}
    assert builder.example(turns, [PLACEHOLDER_ID] * 4, 3).truncated


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        (
            [{"role": "system", "content": "Describe."}, user("<protein_sequence>\nWhy?")],
            "leave prompt.system_message empty",
        ),
        (
            [
                user("<protein_sequence>\nWhy?"),
                {"role": "assistant", "content": "So."},
                user("And then?"),
            ],
            "takes one question",
        ),
        ([user("Why?")], "must hold <protein_sequence> exactly once"),
        ([user("<protein_sequence>\n<|im_end|>")], r"control token <\|im_end\|>"),
    ],
)
def test_what_protein2text_cannot_be_asked(tokenizer, turns, words):
    with pytest.raises(InputError, match=words):
        Protein2TextPrompts(tokenizer).prompt(turns, [PLACEHOLDER_ID] * 2)


def test_a_tokenizer_without_a_first_token(tmp_path):
    folder = write_tiny_language_model(tmp_path / "tiny")
    tokenizer = load_prompt_builder(folder).tokenizer
    tokenizer.bos_token = None
    with pytest.raises(InputError, match="has no begin-of-text token"):
        Protein2TextPrompts(tokenizer).prompt(
            [user("<protein_sequence>\nWhy?")], [PLACEHOLDER_ID] * 1
        )
