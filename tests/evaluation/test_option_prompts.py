import pytest

from protscribe.errors import InputError
from protscribe.evaluation.option_prompts import answer_ids, common_start
from protscribe.llm.pretrained import load_prompt_builder
from tiny_models import write_tiny_language_model


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    return load_prompt_builder(write_tiny_language_model(tmp_path_factory.mktemp("tiny")))


def test_options_are_tokenised_as_in_a_whole_answer(builder):
    lead, options = answer_ids(builder, "Based on it, the answer is", ["yes", "no"])
    for text, option in zip(["yes", "no"], options, strict=True):
        answer, _ = builder.answer(f"Based on it, the answer is {text}")
        assert [*lead, *option, builder.end_of_turn_id] == answer
        assert builder.tokenizer.decode(option) == f" {text}"
    assert lead == builder.answer("Based on it, the answer is")[0][:-1]


def test_a_lead_that_merges_with_an_option_is_cut_for_all(builder):
    merged, whole = builder.answer("of the sub strate")[0], builder.answer("of the sub")[0][:-1]
    assert merged[: len(whole)] == whole

    class Joining:
        """Writes a space and the last letter before it as one token, before a vowel."""

        def answer(self, text):
            ids = [ord(letter) for letter in text.strip()]
            joined = []
            for number, token in enumerate(ids):
                if token == 32 and chr(ids[number + 1]) in "aeiou":
                    joined[-1] += 1000
                else:
                    joined.append(token)
            return [*joined, 0], False

    lead, options = answer_ids(Joining(), "in the", ["eye", "skin"])
    assert lead == [ord("i"), ord("n"), 32, ord("t"), ord("h")]
    assert options == [
        [1000 + ord("e"), *map(ord, "eye")],
        [ord("e"), 32, *map(ord, "skin")],
    ]


def test_without_a_lead_an_option_is_the_whole_answer(builder):
    lead, options = answer_ids(builder, "", ["membrane", "complex of DNA"])
    assert lead == []
    assert [builder.tokenizer.decode(ids) for ids in options] == ["membrane", "complex of DNA"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["yes", "no", " yes"], "has the option 'yes' more than once"),
        (["plasma  membrane", "plasma membrane"], "has the option 'plasma membrane' more than"),
        (["yes", " "], "option 2 is blank"),
        (["yes"], "has 1 options"),
        ([], "has 0 options"),
    ],
)
def test_options_that_cannot_be_told_apart_are_errors(builder, options, message):
    with pytest.raises(InputError, match=message):
        answer_ids(builder, "It is", options)


def test_common_start():
    assert common_start([[1, 2, 3], [1, 2, 4], [1, 2]]) == [1, 2]
    assert common_start([[1, -200, 3]]) == [1, -200, 3]
    assert common_start([[1], [2]]) == []
    assert common_start([]) == []
