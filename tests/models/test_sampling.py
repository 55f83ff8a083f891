import pytest
import torch
from scipy.stats import chisquare

from protscribe.errors import InputError
from protscribe.models.sampling import Sampler, seeded_generators

RESIDUES = torch.tensor([3, 5, 7, 11, 12])
CLOSE = 9
VOCABULARY = 16


def sampler(**settings):
    return Sampler(RESIDUES, CLOSE, **{"min_residues": 2, "max_residues": 12} | settings)


def logits(rows, seed=0):
    return torch.randn(rows, VOCABULARY, generator=torch.Generator().manual_seed(seed)) * 2


def nothing(rows):
    return torch.zeros(rows, 0, dtype=torch.int64)


def write(one, table, seeds, turn=1):
    """Generate with logits that depend on a row and on the step alone."""
    generated, generators = nothing(len(table)), seeded_generators(seeds)
    while not one.is_over(generated):
        step = generated.shape[1]
        scores = torch.stack([torch.roll(row, turn * step) for row in table])
        generated = torch.cat([generated, one.choose(scores, generated, generators)[:, None]], 1)
    return [one.finish(row) for row in generated.tolist()]


def test_the_grammar_is_never_broken():
    one = sampler(temperature=1.5)
    # A token that is no residue is by far the likeliest, then the closing one in half of the rows.
    table = logits(64)
    table[:32, CLOSE] += 20
    table[32:, CLOSE] -= 3
    table[:, 0] += 50
    written = write(one, table, range(64), turn=0)
    assert {token for protein in written for token in protein.residues} <= set(RESIDUES.tolist())
    lengths = [len(protein.residues) for protein in written]
    assert min(lengths) == 2 and max(lengths) <= 12
    assert {protein.finish_reason for protein in written} == {"closed", "length"}
    for protein in written:
        closed = protein.finish_reason == "closed"
        assert protein.tokens == len(protein.residues) + 1
        assert closed or len(protein.residues) == 12


def test_a_protein_that_never_closes_is_cut_and_reported():
    one = sampler()
    never = torch.zeros(2, VOCABULARY)
    never[:, CLOSE] = -1e9
    generated, generators = nothing(2), seeded_generators([1, 2])
    while not one.is_over(generated):
        generated = torch.cat([generated, one.choose(never, generated, generators)[:, None]], 1)
    assert generated.shape == (2, 13)
    for row in generated.tolist():
        assert one.finish(row) == (row[:12], 13, "length")


def test_a_protein_of_the_longest_length_can_close():
    one = sampler(min_residues=12)
    always = torch.zeros(1, VOCABULARY)
    always[:, CLOSE] = 50.0
    generated, generators = nothing(1), seeded_generators([0])
    while not one.is_over(generated):
        generated = torch.cat([generated, one.choose(always, generated, generators)[:, None]], 1)
    protein = one.finish(generated[0].tolist())
    assert (len(protein.residues), protein.tokens, protein.finish_reason) == (12, 13, "closed")


def test_a_protein_may_be_empty_where_that_is_allowed():
    one = sampler(min_residues=0, temperature=0)
    scores = torch.zeros(1, VOCABULARY)
    scores[0, CLOSE] = 1.0
    token = one.choose(scores, nothing(1), seeded_generators([0]))
    assert one.finish(token.tolist()) == ([], 1, "empty")


@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.0])
def test_draws_follow_the_softmax(temperature):
    one = sampler(temperature=temperature, min_residues=0)
    row = logits(1, seed=4)
    draws = 4000
    chosen = one.choose(row.repeat(draws, 1), nothing(draws), seeded_generators(range(draws)))
    allowed = [*RESIDUES.tolist(), CLOSE]
    counts = [int((chosen == token).sum()) for token in allowed]
    expected = torch.softmax(row[0, allowed].double() / temperature, 0) * draws
    assert sum(counts) == draws
    assert chisquare(counts, expected.numpy()).pvalue > 1e-3
    # The test would notice another temperature.
    other = torch.softmax(row[0, allowed].double() / (temperature * 1.3), 0) * draws
    assert chisquare(counts, other.numpy()).pvalue < 1e-3


def test_top_p_keeps_the_nucleus_and_its_proportions():
    scores = torch.log(torch.tensor([[0.4, 0.3, 0.2, 0.06, 0.04]], dtype=torch.float64))
    shares = sampler(top_p=0.65).probabilities(scores)[0]
    assert shares.tolist() == pytest.approx([4 / 7, 3 / 7, 0, 0, 0])
    # What fills the nucleus exactly is enough; the best token always stays.
    assert (sampler(top_p=0.69).probabilities(scores)[0] > 0).sum() == 2
    assert (sampler(top_p=0.71).probabilities(scores)[0] > 0).sum() == 3
    assert sampler(top_p=1e-6).probabilities(scores)[0].tolist() == [1, 0, 0, 0, 0]
    row = torch.full((1, VOCABULARY), -50.0)
    row[0, RESIDUES] = scores[0].float()
    chosen = sampler(top_p=0.65).choose(
        row.repeat(500, 1), nothing(500), seeded_generators(range(500))
    )
    assert set(chosen.tolist()) == set(RESIDUES[:2].tolist())


def test_temperature_0_takes_the_best_and_needs_no_seed():
    row = logits(1, seed=2)
    best = RESIDUES[row[0, RESIDUES].argmax()]
    for seed in (0, 1):
        chosen = sampler(temperature=0).choose(row, nothing(1), seeded_generators([seed]))
        assert chosen.tolist() == [int(best)]


def test_a_row_depends_on_nothing_but_its_own_seed_and_logits():
    one, table = sampler(temperature=1.3, top_p=0.95, repetition_penalty=1.0), logits(20)
    together = write(one, table, range(20))
    assert len({tuple(protein.residues) for protein in together}) > 10
    backwards = write(one, table.flip(0), reversed(range(20)))
    assert together == backwards[::-1]
    alone = [write(one, table[i : i + 1], [i])[0] for i in range(20)]
    assert together == alone
    assert write(one, table, range(20, 40)) != together


def test_repeated_stretches_cost_each_time():
    a, b, c = RESIDUES[:3].tolist()
    generated = torch.tensor([[a, b, c, b, b, a, b, c, c, a, b]])
    scores = torch.zeros(1, VOCABULARY)
    scores[0, c] = 1.5
    for penalty, expected in ((0.0, c), (0.7, c), (0.8, a)):
        one = sampler(temperature=0, repetition_length=3, repetition_penalty=penalty)
        # "a b c" stands there twice.
        assert one.choose(scores, generated, seeded_generators([0])).tolist() == [expected]
    # A stretch of four does not repeat here.
    one = sampler(temperature=0, repetition_length=4, repetition_penalty=9.0)
    assert one.choose(scores, generated, seeded_generators([0])).tolist() == [c]


def test_runs_end_at_their_limit():
    a, b = RESIDUES[:2].tolist()
    scores = torch.zeros(3, VOCABULARY)
    scores[:, a] = 30.0
    one = sampler(max_run=3)
    generated = torch.tensor([[b, a, a, a], [a, a, b, a], [b, b, b, b]])
    chosen = one.choose(scores, generated, seeded_generators(range(3)))
    assert chosen[0] != a and chosen[1] == chosen[2] == a
    written = write(one, scores, range(3), turn=0)
    for protein in written:
        runs = "".join(chr(token + 65) for token in protein.residues)
        assert not any(letter * 4 in runs for letter in set(runs))


def test_closed_rows_stay_closed_and_draw_nothing():
    one, generators = sampler(), seeded_generators([0, 1])
    before = generators[0].get_state().clone()
    generated = torch.tensor([[3, 5, CLOSE, CLOSE], [3, 5, 7, 3]])
    table = logits(2)
    # Whatever the model says behind the end does not matter.
    table[0] = torch.nan
    chosen = one.choose(table, generated, generators)
    assert chosen[0] == CLOSE and torch.equal(generators[0].get_state(), before)
    both = torch.tensor([[3, 5, CLOSE], [3, CLOSE, CLOSE]])
    assert one.is_over(both) and not one.is_over(generated)
    assert one.choose(logits(2), both, generators).tolist() == [CLOSE, CLOSE]


@pytest.mark.parametrize("value", [torch.nan, -torch.inf, torch.inf])
def test_logits_must_be_numbers(value):
    table = logits(3)
    table[1, 7] = value
    with pytest.raises(InputError, match="row 1: .* not a finite number"):
        sampler().choose(table, nothing(3), seeded_generators(range(3)))
    # The closing token does not count before it may come, others never do.
    table = logits(3)
    table[1, CLOSE] = table[1, 0] = value
    sampler().choose(table, nothing(3), seeded_generators(range(3)))
    with pytest.raises(InputError, match="row 1"):
        sampler(min_residues=0).choose(table, nothing(3), seeded_generators(range(3)))


def test_bfloat16_logits_and_no_rows():
    chosen = sampler().choose(logits(2).bfloat16(), nothing(2), seeded_generators([0, 1]))
    assert chosen.dtype == torch.int64
    assert sampler().choose(logits(2)[:0], nothing(0), []).shape == (0,)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -0.1}, "temperature is -0.1"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"top_p": 0}, "top_p is 0"),
        ({"top_p": 1.1}, "top_p is 1.1"),
        ({"repetition_penalty": -1}, "repetition_penalty is -1"),
        ({"repetition_length": 1}, "repetition_length is 1"),
        ({"max_run": 0}, "max_run is 0"),
        ({"min_residues": 20}, "min_residues is 20 and max_residues 12"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(InputError, match=message):
        sampler(**settings)


def test_tokens_that_do_not_fit():
    with pytest.raises(InputError, match="closing token is also a residue"):
        Sampler(torch.tensor([1, 2]), 2)
    with pytest.raises(InputError, match="stands twice"):
        Sampler(torch.tensor([1, 1]), 2)
    with pytest.raises(InputError, match="there must be residue tokens"):
        Sampler(torch.tensor([], dtype=torch.int64), 2)
    one = sampler()
    with pytest.raises(InputError, match="token 4 inside a protein"):
        one.choose(logits(1), torch.tensor([[3, 4]]), seeded_generators([0]))
    with pytest.raises(InputError, match="1 generators for 2 rows"):
        one.choose(logits(2), nothing(2), seeded_generators([0]))
    with pytest.raises(InputError, match="do not fit"):
        one.choose(logits(2), nothing(1), seeded_generators([0, 1]))
    with pytest.raises(InputError, match="has 8 logits"):
        one.choose(torch.zeros(1, 8), nothing(1), seeded_generators([0]))
    with pytest.raises(InputError, match="stop by Sampler.is_over"):
        one.choose(logits(1), torch.full((1, 13), 3), seeded_generators([0]))
