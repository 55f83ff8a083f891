import random

import pytest
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
)

from protscribe.errors import InputError
from protscribe.evaluation import ranking
from protscribe.evaluation.ranking import (
    Prefix,
    Question,
    option_log_likelihoods,
)
from protscribe.models.captioner import Captioner
from protscribe.models.projector import Projector
from protscribe.models.residue_rows import ResidueRows
from protscribe.prompts import PLACEHOLDER_ID

VOCABULARY, WIDTH = 60, 32


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def llama(dtype=torch.float32):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.2,
    )
    return LlamaForCausalLM(config).eval().to(dtype)


def opt():
    torch.manual_seed(0)
    config = OPTConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        word_embed_proj_dim=WIDTH // 2,
        ffn_dim=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=512,
        init_std=0.2,
    )
    return OPTForCausalLM(config).eval()


def residues_and_connector():
    model = llama()
    return Captioner(model, Projector(8, WIDTH, hidden=16), 2, ResidueRows(model, 0))


def plain():
    return Captioner(llama(), None, 2)


def asked(protein, states, seed=0, questions=7):
    """Return a prefix with random questions, of which some begin alike."""
    rng = random.Random(seed)

    def ids(low, high):
        return [rng.randrange(3, VOCABULARY) for _ in range(rng.randint(low, high))]

    start = ids(3, 3)
    made = []
    for number in range(questions):
        options = [ids(1, 1)] * 2 if number % 2 else [ids(1, 6) for _ in range(rng.randint(2, 5))]
        options = [[number, *option] for number, option in enumerate(options)]
        if number % 2:
            options = [option[:1] for option in options]
        made.append(Question(f"q{number}", [*(start if number % 3 else []), *ids(1, 5)], options))
    return Prefix([5, 6, *protein, 7], states, made)


def one_by_one(captioner, prefix):
    """Return the log-likelihood of every option from a pass of its own over the whole text."""
    model = captioner.causal_model
    found = []
    for question in prefix.questions:
        scores = []
        for option in question.options:
            before = [*prefix.ids, *question.ids]
            ids = torch.tensor([[*before, *option]])
            states = None if prefix.states is None else [prefix.states]
            with torch.inference_mode(), captioner.autocast():
                embedded = captioner.embed(ids, torch.ones_like(ids), states)
                hidden = model.get_decoder()(inputs_embeds=embedded).last_hidden_state[0]
                logs = captioner.logits(hidden).float().log_softmax(dim=-1)
            at = range(len(before) - 1, len(before) + len(option) - 1)
            scores.append(sum(float(logs[i, token]) for i, token in zip(at, option, strict=True)))
        found.append(scores)
    return found


PROTEINS = {
    "none": (plain, [], None),
    "encoder states": (residues_and_connector, [PLACEHOLDER_ID] * 11, torch.randn(11, 8)),
    "residue tokens": (residues_and_connector, [VOCABULARY + i for i in (0, 2, 9, 4, 1)], None),
    "learned positions": (lambda: Captioner(opt(), None, 2), [9, 9, 8], None),
}


@pytest.mark.parametrize("protein", PROTEINS)
@pytest.mark.parametrize("room", ["one question", "some", "all"])
def test_likelihoods_are_those_of_one_pass_an_option(protein, room):
    make, ids, states = PROTEINS[protein]
    captioner = make().eval()
    prefix = asked(ids, states)
    sizes = [question.size for question in prefix.questions]
    tree = {"one question": max(sizes), "some": max(sizes) + 20, "all": sum(sizes)}[room]
    found = option_log_likelihoods(captioner, prefix, batch_tokens=len(prefix.ids) + tree)
    for ranked, question, scores in zip(
        found, prefix.questions, one_by_one(captioner, prefix), strict=True
    ):
        assert ranked.log_likelihoods == pytest.approx(scores, abs=1e-4)
        assert ranked.tokens == [len(option) for option in question.options]
    assert len({round(score, 3) for one in found for score in one.log_likelihoods}) > 15


def test_a_prefix_may_be_empty():
    captioner = plain()
    prefix = Prefix([], None, asked([], None).questions)
    found = option_log_likelihoods(captioner, prefix, batch_tokens=100)
    scores = one_by_one(captioner, prefix)
    assert [one.log_likelihoods for one in found] == [
        pytest.approx(score, abs=1e-4) for score in scores
    ]


def test_the_prefix_runs_once_and_one_token_options_add_nothing(monkeypatch):
    captioner = plain()
    shapes, embed = [], Captioner.embed

    def counted(self, input_ids, *arguments):
        shapes.append(tuple(input_ids.shape))
        return embed(self, input_ids, *arguments)

    monkeypatch.setattr(Captioner, "embed", counted)
    questions = [Question(str(i), [8, 9, 10 + i, 11], [[3], [4]]) for i in range(30)]
    prefix = Prefix([5] * 40, None, questions)
    option_log_likelihoods(captioner, prefix, batch_tokens=2000)
    # The two ids that all questions begin with are computed once, too.
    assert shapes == [(1, 40), (1, 2 + 2 * 30)]
    shapes.clear()
    option_log_likelihoods(captioner, prefix, batch_tokens=40 + 24)
    assert shapes[0] == (1, 40)
    assert len(shapes) > 2
    assert max(positions for _, positions in shapes[1:]) <= 24
    shapes.clear()
    monkeypatch.setattr(ranking, "_NODES", 24)
    option_log_likelihoods(captioner, prefix, batch_tokens=2000)
    assert max(positions for _, positions in shapes[1:]) <= 24


def test_logits_are_computed_some_rows_at_a_time(monkeypatch):
    captioner = plain()
    prefix = asked([], None)
    whole = option_log_likelihoods(captioner, prefix, batch_tokens=500)
    rows, logits = [], Captioner.logits

    def counted(self, hidden):
        rows.append(len(hidden))
        return logits(self, hidden)

    monkeypatch.setattr(ranking, "_LOGIT_ROWS", 3)
    monkeypatch.setattr(Captioner, "logits", counted)
    parts = option_log_likelihoods(captioner, prefix, batch_tokens=500)
    assert max(rows) == 3
    for one, other in zip(whole, parts, strict=True):
        assert one.log_likelihoods == pytest.approx(other.log_likelihoods, abs=1e-5)


def test_a_model_that_prefers_nothing_gives_exact_ties():
    captioner = plain()
    with torch.no_grad():
        captioner.causal_model.get_output_embeddings().weight.zero_()
    question = Question("q", [4, 5], [[7, 8], [7, 9], [3, 3], [6]])
    (found,) = option_log_likelihoods(captioner, Prefix([3], None, [question]), batch_tokens=50)
    uniform = -float(torch.tensor(VOCABULARY).log())
    assert found.log_likelihoods[0] == pytest.approx(2 * uniform, abs=1e-5)
    assert found.log_likelihoods[0] == found.log_likelihoods[1] == found.log_likelihoods[2]
    assert found.log_likelihoods[3] == pytest.approx(uniform, abs=1e-5)
    assert found.tokens == [2, 2, 2, 1]


def test_an_option_may_begin_like_another():
    captioner = plain()
    question = Question("q", [4, 5], [[7], [7, 8], [7, 8, 9]])
    prefix = Prefix([3], None, [question])
    (found,) = option_log_likelihoods(captioner, prefix, batch_tokens=50)
    assert found.log_likelihoods == pytest.approx(one_by_one(captioner, prefix)[0], abs=1e-4)
    assert found.log_likelihoods[0] > found.log_likelihoods[1] > found.log_likelihoods[2]


def test_bfloat16_stays_close_to_float32():
    prefix = asked([], None)
    exact = option_log_likelihoods(plain(), prefix, batch_tokens=500)
    model = Captioner(llama(torch.bfloat16), None, 2)
    for one, other in zip(
        exact, option_log_likelihoods(model, prefix, batch_tokens=500), strict=True
    ):
        # Eight bits of mantissa, over up to seven tokens.
        assert one.log_likelihoods == pytest.approx(other.log_likelihoods, rel=0.05, abs=0.5)
        assert one.log_likelihoods != other.log_likelihoods


def test_no_questions_give_no_scores():
    assert option_log_likelihoods(plain(), Prefix([3], None, []), batch_tokens=50) == []


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (Question("q7", [], [[3], [4]]), "question q7: there is nothing to score"),
        (Question("q7", [3], [[3], []]), "question q7: there is nothing to score"),
        (Question("q7", [3] * 30, [[3], [4]]), "question q7: needs 35 positions, 5 of them up"),
    ],
)
def test_questions_that_cannot_be_scored_are_errors(question, message):
    with pytest.raises(InputError, match=message):
        option_log_likelihoods(plain(), Prefix([3] * 5, None, [question]), batch_tokens=34)


def test_attention_over_a_window_is_an_error_beyond_it():
    torch.manual_seed(0)
    model = MistralForCausalLM(
        MistralConfig(
            vocab_size=VOCABULARY,
            hidden_size=WIDTH,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            sliding_window=16,
        )
    ).eval()
    captioner = Captioner(model, None, 2)
    question = Question("q", [4, 5], [[7], [8]])
    within = Prefix([3] * 12, None, [question, Question("r", [9] * 3, [[7], [8]])])
    found = option_log_likelihoods(captioner, within, batch_tokens=50)
    for ranked, scores in zip(found, one_by_one(captioner, within), strict=True):
        assert ranked.log_likelihoods == pytest.approx(scores, abs=1e-4)
    with pytest.raises(InputError, match="type mistral"):
        option_log_likelihoods(captioner, Prefix([3] * 20, None, [question]), batch_tokens=50)
