import pytest
import torch

from helpers_golden import PAD, close, load_golden
from protscribe.errors import InputError
from protscribe.llm.pretrained import load_language_model, load_prompt_builder
from protscribe.models.captioner import Captioner
from protscribe.models.projector import Projector
from protscribe.prompts import PLACEHOLDER_ID
from tiny_models import write_tiny_language_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_language_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def captioner(folder):
    model = load_language_model(folder, precision="float32")
    torch.manual_seed(0)
    return Captioner(model, Projector(8, 32, hidden=16), model.config.eos_token_id).eval()


def test_embeddings_after_splicing_are_the_published_ones(golden):
    reference = load_golden(golden)
    for ids, mask, wanted in (
        ("input_ids", "attention_mask", "decoder.inputs_embeds"),
        ("prompt_input_ids", "prompt_attention_mask", "decoder.prompt_inputs_embeds"),
    ):
        found = reference.captioner.embed(
            reference.ids(ids), reference.inputs[mask], reference.states
        )
        close(found, reference.expected[wanted], 2e-5)


def test_answer_loss_and_its_gradient_are_the_published_ones(golden):
    reference = load_golden(golden)
    loss, count = reference.captioner.answer_loss(
        reference.ids("input_ids"),
        reference.inputs["attention_mask"],
        reference.inputs["labels"],
        reference.states,
    )
    assert count == int((reference.inputs["labels"][:, 1:] != -100).sum())
    close((loss / count).detach(), reference.expected["instruct.loss"], 5e-5)
    (loss / count).backward()
    for name, parameter in reference.captioner.connector.named_parameters():
        tolerance = {"fc1.weight": 6e-5, "fc2.weight": 9e-5}.get(name, 3e-5)
        close(parameter.grad, reference.expected[f"instruct.grad.adapter.{name}"], tolerance)


def test_logits_are_the_published_ones_and_computed_at_labels_only(golden):
    reference = load_golden(golden)
    seen = []
    head = reference.captioner.causal_model.get_output_embeddings()
    head.register_forward_hook(lambda module, args, output: seen.append(output))
    _, count = reference.captioner.answer_loss(
        reference.ids("input_ids"),
        reference.inputs["attention_mask"],
        reference.inputs["labels"],
        reference.states,
    )
    assert [tuple(logits.shape) for logits in seen] == [(count, 512)]
    wanted = reference.inputs["labels"][:, 1:] != -100
    close(seen[0].detach(), reference.expected["decoder.logits"][:, :-1][wanted], 1e-3)


def test_greedy_answers_are_the_published_ones(golden):
    reference = load_golden(golden)
    steps = []
    head = reference.captioner.causal_model.get_output_embeddings()
    head.register_forward_hook(lambda module, args, output: steps.append(output))
    answers = reference.captioner.generate(reference.prompts(), reference.states, 12)
    assert [ids for ids, _ in answers] == reference.expected["generate.greedy12"].tolist()
    assert {reason for _, reason in answers} == {"length"}
    close(torch.stack(steps, 1), reference.expected["generate.greedy12_step_logits"], 4e-4)


def test_an_answer_stops_at_the_end_of_turn(golden):
    end = int(load_golden(golden).expected["generate.eos_test_id"])
    reference = load_golden(golden, end_of_turn_id=end)
    answers = reference.captioner.generate(reference.prompts(), reference.states, 12)
    rows = reference.expected["generate.greedy12_with_eos"].tolist()
    for (ids, reason), row in zip(answers, rows, strict=True):
        stopped = end in row
        assert reason == ("stop" if stopped else "length")
        assert ids == (row[: row.index(end)] if stopped else [i for i in row if i != PAD])
    assert {reason for _, reason in answers} == {"stop", "length"}


def test_an_answer_does_not_depend_on_the_rest_of_the_batch(captioner):
    torch.manual_seed(1)
    states = [torch.randn(n, 8) for n in (3, 9, 5)]
    prompts = [[7, 8, *[PLACEHOLDER_ID] * len(s), 9] for s in states]
    together = captioner.generate(prompts, states, 10)
    alone = [captioner.generate([p], [s], 10)[0] for p, s in zip(prompts, states, strict=True)]
    assert together == alone
    assert captioner.generate([], [], 10) == []


def test_padding_changes_neither_loss_nor_gradient(captioner):
    states = [torch.randn(3, 8)]
    ids = torch.tensor([[5, *[PLACEHOLDER_ID] * 3, 6, 7, 8]])
    labels = torch.tensor([[-100] * 5 + [7, 8]])
    plain, _ = captioner.answer_loss(ids, torch.ones_like(ids), labels, states)
    wide = torch.nn.functional.pad
    mask = wide(torch.ones_like(ids), (0, 4))
    padded, _ = captioner.answer_loss(
        wide(ids, (0, 4)), mask, wide(labels, (0, 4), value=-100), states
    )
    torch.testing.assert_close(plain, padded)


@pytest.mark.parametrize("placeholders", [0, 2, 4])
def test_wrong_number_of_placeholders_is_found_before_anything_runs(captioner, placeholders):
    captioner.connector.register_forward_pre_hook(lambda *_: pytest.fail("connector ran"))
    ids = torch.tensor([[5] * (6 - placeholders) + [PLACEHOLDER_ID] * placeholders])
    with pytest.raises(
        InputError, match=f"row 0: the prompt has {placeholders} placeholders.* 3 tokens"
    ):
        captioner.embed(ids, torch.ones_like(ids), [torch.randn(3, 8)])


def test_a_language_model_alone_answers_as_one_with_a_connector(folder, captioner):
    alone = Captioner(captioner.language_model, None, captioner.end_of_turn_id)
    prompts = [[5, 6, 7], [8, 9]]
    answers = alone.generate(prompts, None, 8)
    assert answers == captioner.generate(prompts, None, 8)
    model = load_language_model(folder, precision="float32")
    for prompt, (ids, _) in zip(prompts, answers, strict=True):
        wanted = model.generate(torch.tensor([prompt]), max_new_tokens=8, do_sample=False)
        assert wanted[0, len(prompt) :].tolist()[: len(ids)] == ids
    ids = torch.tensor([[5, 6, 7, 8]])
    loss, count = alone.answer_loss(ids, torch.ones_like(ids), ids, None)
    wanted = model(ids, labels=ids).loss
    torch.testing.assert_close(loss / count, wanted)


def test_proteins_and_prompts_must_fit(captioner):
    alone = Captioner(captioner.language_model, None, captioner.end_of_turn_id)
    with_place, without = [[5, PLACEHOLDER_ID, PLACEHOLDER_ID]], [[5, 6]]
    with pytest.raises(InputError, match="there is no protein"):
        captioner.generate(with_place, None, 3)
    with pytest.raises(InputError, match="has no connector and reads no proteins"):
        alone.generate(without, [torch.randn(2, 8)], 3)
    with pytest.raises(InputError, match="1 prompts but 2 proteins"):
        captioner.generate(with_place, [torch.randn(2, 8)] * 2, 3)


def test_widths_must_agree(folder):
    model = load_language_model(folder, precision="float32")
    with pytest.raises(InputError, match="the connector gives 31 numbers a token"):
        Captioner(model, Projector(8, 31, hidden=16), 0)


def test_scaled_logits_are_refused(folder):
    model = load_language_model(folder, precision="float32")
    model.config.final_logit_softcapping = 30.0
    with pytest.raises(InputError, match="final_logit_softcapping"):
        Captioner(model, Projector(8, 32, hidden=16), 0)


def test_prompt_of_training_equals_prompt_of_inference(folder):
    builder = load_prompt_builder(folder)
    turns = [
        {"role": "system", "content": "You describe."},
        {"role": "user", "content": "<protein_sequence>"},
        {"role": "assistant", "content": "Binds DNA."},
    ]
    prompt = builder.prompt(turns[:-1], [PLACEHOLDER_ID] * 4)
    assert builder.example(turns, [PLACEHOLDER_ID] * 4).input_ids[: len(prompt)] == prompt
