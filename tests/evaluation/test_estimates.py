from pathlib import Path

import numpy as np
import pytest
from sacrebleu.metrics import BLEU

from helpers_evaluation import write_predictions
from protscribe.errors import InputError
from protscribe.evaluation.estimates import differences, draw, estimate
from protscribe.evaluation.runs import Group, read_predictions

GROUP = Group("describe", "test_low_homology", "sequence")
TEXTS = [
    ("Binds DNA and RNA.", "Binds RNA and DNA."),
    ("Component of the proteasome.", "Component of the ribosome, small subunit."),
    ("Transfers a phosphate group.", "Transfers a phosphate group from ATP."),
    ("Unknown.", "Required for growth of the cell."),
]
CLUSTERS = {f"P{i}": (f"c{i // 2}", "test_low_homology") for i in range(4)}


def make_run(tmp_path, texts=TEXTS, seed=0, predictor="a"):
    rows = [
        {"accession": f"P{i}", "prediction": p, "reference": r, "training_seed": s}
        for s, pairs in enumerate(texts if isinstance(texts[0], list) else [texts])
        for i, (p, r) in enumerate(pairs)
    ]
    run = read_predictions(write_predictions(tmp_path / f"{predictor}.parquet", predictor, rows))
    rng = np.random.default_rng(seed)
    run.values = {"rouge_l": rng.uniform(size=len(rows)), "sentence_chrf": np.zeros(len(rows))}
    return run


def make_sample(run, **more):
    return draw(GROUP, run, CLUSTERS, Path("split.parquet"), resamples=30, seed=0, **more)


def test_resampled_bleu_is_sacrebleus_on_the_drawn_texts(tmp_path):
    run = make_run(tmp_path)
    sample = make_sample(run)
    found = estimate(run, GROUP, sample)
    assert "sentence_chrf" not in found
    for counts, value in zip(sample.draws, found["bleu_4"].resampled, strict=True):
        drawn = [
            TEXTS[i]
            for cluster, times in enumerate(counts)
            for _ in range(times)
            for i in np.flatnonzero(sample.membership == cluster)
        ]
        hypotheses, references = map(list, zip(*drawn, strict=True))
        expected = BLEU().corpus_score(hypotheses, [references]).score
        assert value == pytest.approx(expected, abs=1e-9)


def test_training_seeds_are_averaged_not_pooled(tmp_path):
    other = [(reference, reference) for _, reference in TEXTS]
    both = make_run(tmp_path, [TEXTS, other])
    sample = make_sample(both)
    found = estimate(both, GROUP, sample)
    assert sample.ids == [f"descriptions:P{i}" for i in range(4)]
    first = estimate(make_run(tmp_path), GROUP, sample)["chrf"].value
    assert found["chrf"].value == pytest.approx((first + 100) / 2)
    assert found["rouge_l"].value == pytest.approx(np.mean(both.values["rouge_l"]))


def test_ids_beyond_the_sample_are_left_out(tmp_path):
    run = make_run(tmp_path)
    few = make_run(tmp_path, TEXTS[:3], predictor="few")
    sample = make_sample(few)
    found, expected = estimate(run, GROUP, sample), estimate(few, GROUP, sample)
    assert found["chrf"].value == pytest.approx(expected["chrf"].value)
    assert found["rouge_l"].value == pytest.approx(run.values["rouge_l"][:3].mean())


def test_predictors_and_conditions_share_their_draws(tmp_path):
    one, two = make_sample(make_run(tmp_path)), make_sample(make_run(tmp_path, predictor="b"))
    assert (one.draws == two.draws).all()
    other = Group("describe", "test_low_homology", "shuffled")
    run = make_run(tmp_path)
    run.groups = {other: run.groups[GROUP]}
    sample = draw(other, run, CLUSTERS, Path("split.parquet"), resamples=30, seed=0)
    assert (sample.draws == one.draws).all()


def test_a_difference_to_itself_is_0_in_every_resample(tmp_path):
    run = make_run(tmp_path)
    found = estimate(run, GROUP, make_sample(run))
    own = differences(found, found, "_minus_b")
    assert set(own) == {f"{name}_minus_b" for name in found}
    assert all(value == 0 and not resampled.any() for value, resampled in own.values())


def test_a_protein_in_another_fold_or_none_is_an_error(tmp_path):
    run = make_run(tmp_path)
    for clusters, words in (
        (CLUSTERS | {"P2": ("c1", "train")}, "P2 .* stands in fold train"),
        ({k: v for k, v in CLUSTERS.items() if k != "P3"}, "P3 .* stands nowhere"),
    ):
        with pytest.raises(InputError, match=words):
            draw(GROUP, run, clusters, Path("split.parquet"), resamples=9, seed=0)
