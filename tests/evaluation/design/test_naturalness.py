import itertools
import math
import random
from collections import Counter

import numpy as np
import pytest

from helpers_data import natural_protein
from protscribe.errors import InputError
from protscribe.evaluation.design import naturalness
from protscribe.evaluation.design.naturalness import RESIDUES, KmerModel
from protscribe.seeds import unit_hash


def by_the_book(training, strengths, sequence):
    """The rule of MacKay and Peto, one residue at a time."""
    order = len(strengths) - 1
    counts = Counter()
    for text in training:
        padded = "^" * order + text
        for i in range(order, len(padded)):
            for length in range(order + 1):
                counts[padded[i - length : i + 1]] += 1

    def probability(context, residue):
        lower = 1 / 21 if not context else probability(context[1:], residue)
        size = len(context) + 1
        total = sum(n for gram, n in counts.items() if len(gram) == size and gram[:-1] == context)
        strength = strengths[len(context)]
        return (counts[context + residue] + strength * lower) / (total + strength)

    padded = "^" * order + sequence
    losses = [
        -math.log(probability(padded[i - order : i], padded[i])) for i in range(order, len(padded))
    ]
    return sum(losses) / len(losses)


@pytest.fixture(scope="module")
def training():
    rng = random.Random(0)
    return [natural_protein(rng, rng.randint(1, 25)) for _ in range(12)]


@pytest.mark.parametrize("order", [0, 1, 3])
def test_surprisal_follows_the_formula(training, order):
    asked = [training[3], "MKVLAA", "W", training[0] + "WWWW", "CCHH"]
    model = KmerModel(training, order)
    expected = [by_the_book(training, model.strengths, sequence) for sequence in asked]
    assert model.surprisal(asked).tolist() == pytest.approx(expected)


def test_strengths_are_those_that_predict_what_was_set_aside(training):
    names = [f"g{i}" for i in range(len(training))]
    aside = [unit_hash(0, name) < 0.2 for name in names]
    assert 0 < sum(aside) < len(aside)
    kept = [s for s, out in zip(training, aside, strict=True) if not out]
    others = [s for s, out in zip(training, aside, strict=True) if out]
    strengths = []
    for _ in range(3):
        losses = {
            strength: sum(len(s) * by_the_book(kept, [*strengths, strength], s) for s in others)
            for strength in naturalness.STRENGTHS
        }
        strengths.append(min(losses, key=losses.get))
    assert KmerModel(training, 2, names).strengths == strengths
    # All in one group: nothing can be set aside.
    assert KmerModel(training, 2, ["one"] * len(training)).strengths == [21.0] * 3


def test_homologues_in_both_parts_would_be_trusted_too_much():
    rng = random.Random(2)
    founders = [natural_protein(rng, 100) for _ in range(20)]
    copies = [founder for founder in founders for _ in range(5)]
    names = [f"family {i}" for i in range(20) for _ in range(5)]
    new = [natural_protein(rng, 100) for _ in range(20)]
    apart, mixed = KmerModel(copies, 4, names), KmerModel(copies, 4)
    assert mixed.strengths[4] < 10 < 100 < apart.strengths[4]
    assert np.exp(apart.surprisal(new).mean()) < 20 < np.exp(mixed.surprisal(new).mean())


def test_probabilities_add_up_to_one(training):
    model = KmerModel(training, 2)
    for context in ("", "A", "AL", "WW", "LA"):
        outcomes = []
        for residue in [*RESIDUES, "X"]:
            whole = model.surprisal([context + residue])[0] * (len(context) + 1)
            before = model.surprisal([context])[0] * len(context) if context else 0.0
            outcomes.append(math.exp(before - whole))
        assert sum(outcomes) == pytest.approx(1)


def test_neither_chunks_nor_neighbours_matter(training, monkeypatch):
    whole = KmerModel(training, 3)
    asked = [*training, "MKV"]
    monkeypatch.setattr(naturalness, "_CHUNK", 20)
    pieces = KmerModel(training, 3)
    assert whole.surprisal(asked).tolist() == pieces.surprisal(asked).tolist()
    for one, value in zip(asked, whole.surprisal(asked[::-1])[::-1], strict=True):
        assert whole.surprisal([one])[0] == value


def test_learned_patterns_are_less_surprising_than_others():
    rng = random.Random(1)
    repeats = ["".join("ACDE"[i % 4] for i in range(200)) for _ in range(3)]
    model = KmerModel(repeats, 4)
    natural, strange = model.surprisal(["ACDEACDEACDE", natural_protein(rng, 12)])
    assert math.exp(natural) < 1.5 and math.exp(strange) > 10
    # Even draws of twenty residues: what nobody can predict.
    even = ["".join(rng.choices(RESIDUES, k=100_000)) for _ in range(2)]
    assert math.exp(KmerModel(even[:1], 2).surprisal(even[1:])[0]) == pytest.approx(20, abs=0.8)


def test_empty_and_odd_sequences(training):
    model = KmerModel(training, 2)
    values = model.surprisal(["", "MX*K", "mkλ"])
    assert math.isnan(values[0]) and np.isfinite(values[1:]).all()
    assert model.surprisal([]).shape == (0,)
    assert model.surprisal(["MXK"])[0] == model.surprisal(["MUK"])[0]


def test_samples_have_the_statistics_of_what_was_learned():
    training = ["".join(rng.choices("AC", [9, 1], k=500)) for rng in map(random.Random, range(40))]
    # After C always comes D, which nothing else precedes.
    training = [text.replace("C", "CD") for text in training]
    sampled = KmerModel(training, 2).sample([300] * 20, list(range(20)))
    assert [len(text) for text in sampled] == [300] * 20
    pairs = Counter(a + b for text in sampled for a, b in itertools.pairwise(text))
    after_c = {pair: n for pair, n in pairs.items() if pair[0] == "C"}
    assert after_c["CD"] / sum(after_c.values()) > 0.98
    share = "".join(sampled).count("C") / 6000
    assert share == pytest.approx(0.1 / 1.1, abs=0.02)
    assert set("".join(sampled)) <= set(RESIDUES)


def test_a_sample_depends_on_its_own_seed_alone(training):
    model = KmerModel(training, 3)
    both = model.sample([30, 10], [5, 6])
    assert both == [*model.sample([30], [5]), *model.sample([10], [6])]
    assert both[0][:10] != model.sample([10], [6])[0]
    assert model.sample([0, 3], [1, 2])[0] == ""
    assert model.sample([], []) == []


def test_what_cannot_be_learned_from():
    with pytest.raises(InputError, match="at least one training sequence"):
        KmerModel(["", ""], 2)
    with pytest.raises(InputError, match="order of a k-mer model is 9"):
        KmerModel(["MKV"], 9)
