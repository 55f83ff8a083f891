import pytest
import torch

from helpers_golden import close, load_golden
from protscribe.errors import InputError
from protscribe.models.connectors import build_connector, pad_states
from protscribe.models.projector import Projector


def test_tokens_of_the_published_projector(golden):
    reference = load_golden(golden)
    states, mask = pad_states(reference.states, torch.device("cpu"))
    tokens, kept = reference.captioner.connector(states, mask)
    assert torch.equal(kept, mask)
    close(tokens[mask], reference.expected["adapter.output"][mask], 2e-5)


def test_each_token_has_norm_one_unless_configured_otherwise():
    states, mask = torch.randn(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)
    normed, _ = Projector(8, 6, hidden=7)(states, mask)
    torch.testing.assert_close(normed.norm(dim=-1), torch.ones(2, 5))
    plain, _ = Projector(8, 6, hidden=7, token_norm="none")(states, mask)
    assert (plain.norm(dim=-1) - 1).abs().min() > 1e-3


def test_tokens_are_float32_under_autocast():
    projector = Projector(8, 6, hidden=7)
    with torch.autocast("cpu", torch.bfloat16):
        tokens, _ = projector(torch.randn(1, 3, 8), torch.ones(1, 3, dtype=torch.bool))
    assert tokens.dtype == torch.float32
    torch.testing.assert_close(tokens.norm(dim=-1), torch.ones(1, 3))


def test_padding_is_zero_and_marked():
    states, mask = pad_states([torch.ones(2, 3), torch.ones(4, 3)], torch.device("cpu"))
    assert states.shape == (2, 4, 3)
    assert mask.sum(dim=1).tolist() == [2, 4]
    assert states[0, 2:].abs().sum() == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"type": "resampla"}, "connector.type is 'resampla'; allowed: projector, resampler"),
        ({"type": "projector", "hidden": 4, "depth": 2}, "depth"),
        ({"type": "projector", "hidden": 4, "activation": "relu"}, "connector.activation"),
        ({"type": "projector", "hidden": 4, "token_norm": "l1"}, "connector.token_norm"),
    ],
)
def test_a_wrong_setting_is_named(settings, words):
    with pytest.raises(InputError, match=words):
        build_connector(settings, 8, 6)
