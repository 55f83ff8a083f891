import pytest
from safetensors.torch import load_file
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from protscribe.atomic import read_json
from protscribe.errors import InputError
from protscribe.prompts import (
    IGNORED_LABEL,
    PLACEHOLDER_ID,
    PROTEIN_MARKER,
    PromptBuilder,
    PromptStyle,
)
from tiny_models import write_tiny_language_model

PUBLISHED = PromptStyle(
    "You describe what a protein does.",
    "Protein name: {name}; Taxon: {taxon}; Sequence embeddings: <protein_sequence>",
)
TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": f"What does it do? {PROTEIN_MARKER}"},
    {"role": "assistant", "content": "Binds to DNA."},
]


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    folder = write_tiny_language_model(tmp_path_factory.mktemp("lm"))
    return PromptBuilder(AutoTokenizer.from_pretrained(folder))


def test_training_prompt_equals_inference_prompt(builder):
    example = builder.example(TURNS, protein_tokens=7)
    assert example.prompt_ids == builder.prompt(TURNS[:-1], protein_tokens=7)
    assert example.prompt_ids.count(PLACEHOLDER_ID) == 7
    assert example.input_ids == example.prompt_ids + example.answer_ids
    assert example.labels == [IGNORED_LABEL] * len(example.prompt_ids) + example.answer_ids
    assert example.answer_ids[-1] == builder.end_of_turn_id


def test_golden_text_of_a_prompt(builder):
    ids = builder.prompt(TURNS[:-1], protein_tokens=2)
    cut = ids.index(PLACEHOLDER_ID)
    assert builder.tokenizer.decode(ids[:cut]) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat does it do? "
    )
    assert builder.tokenizer.decode(ids[cut + 2 :]) == "<|im_end|>\n<|im_start|>assistant\n"


def test_cut_answers_still_end(builder):
    whole, cut = builder.answer("Binds to DNA."), builder.answer("Binds to DNA.", max_tokens=4)
    assert not whole[1] and cut[1]
    assert len(cut[0]) == 4 and cut[0][-1] == builder.end_of_turn_id
    assert cut[0][:3] == whole[0][:3]
    assert builder.answer("Binds to DNA.", max_tokens=len(whole[0])) == whole


def test_text_survives_the_round_trip(builder):
    text = "Binds Zn²⁺ and 5'-phosphate {at} 30% identity."
    assert builder.decode(builder.answer(text)[0]) == text


@pytest.mark.parametrize("content", ["no protein", PROTEIN_MARKER * 2])
def test_protein_stands_exactly_once(builder, content):
    with pytest.raises(InputError, match="exactly once"):
        builder.prompt([{"role": "user", "content": content}], protein_tokens=3)


def test_training_needs_an_answer(builder):
    with pytest.raises(InputError, match="must end with an assistant turn"):
        builder.example(TURNS[:-1], protein_tokens=3)


def test_style_fills_name_and_taxon():
    assert PUBLISHED.user_turn("Hexokinase", "Homo") == (
        "Protein name: Hexokinase; Taxon: Homo; Sequence embeddings: <protein_sequence>"
    )
    assert "name: unknown; Taxon: unknown" in PUBLISHED.user_turn()
    assert PUBLISHED.hash != PromptStyle("other").hash


@pytest.mark.parametrize("template", ["no marker", PROTEIN_MARKER * 2])
def test_bad_templates_are_named(template):
    with pytest.raises(InputError, match="user_template must hold"):
        PromptStyle("", template)


def test_unknown_field_is_named():
    with pytest.raises(InputError, match=r"may only hold \{name\} and \{taxon\}"):
        PromptStyle("", "{gene} <protein_sequence>").user_turn()


def test_tokenizer_without_template_is_refused(builder):
    bare = PreTrainedTokenizerFast(tokenizer_object=builder.tokenizer.backend_tokenizer)
    with pytest.raises(InputError, match="no chat template"):
        PromptBuilder(bare)


@pytest.mark.parametrize(
    ("case", "named"), [("inference_all_fields", True), ("train_no_name_no_taxon", False)]
)
def test_ids_equal_those_of_the_published_code(golden, case, named):
    folder = golden / "prot2text_v2"
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer_llama")
    tokenizer.eos_token = "<|eot_id|>"
    builder = PromptBuilder(tokenizer)
    expected = load_file(folder / "collater_expected.safetensors")
    placeholder = read_json(folder / "README.json")["model"]["placeholder_id"]
    for number, row in enumerate(read_json(folder / "rows.json")):
        facts = (row["Full Name"], row["taxon"]) if named else ()
        turns = [
            {"role": "system", "content": PUBLISHED.system_message},
            {"role": "user", "content": PUBLISHED.user_turn(*facts)},
            {"role": "assistant", "content": row["function"]},
        ]
        example = builder.example(turns, len(row["sequence"]) + 2)
        ids = example.input_ids if f"{case}.labels" in expected else example.prompt_ids
        ids = [placeholder if i == PLACEHOLDER_ID else i for i in ids]
        mask = expected[f"{case}.attention_mask"][number].bool()
        assert ids == expected[f"{case}.input_ids"][number][mask].tolist()
        if f"{case}.labels" in expected:
            assert example.labels == expected[f"{case}.labels"][number][mask].tolist()
