import pytest

from helpers_data import natural_protein
from helpers_design import (
    design_row,
    good_designs,
    make_world,
    request_row,
    split_row,
    write_requests,
)
from protscribe.atomic import sha256_file
from protscribe.errors import InputError
from protscribe.evaluation.design.scoring import score_designs
from protscribe.tables import read_metadata, read_table, write_table
from tiny_models import write_tiny_encoder

SETTINGS = {"min_residues": 20, "max_residues": 400, "perplexity_order": 2, "resamples": 200}


def score(world, rows, requests=None, settings=SETTINGS, **options):
    designs = world.path("designs")
    write_table(designs, "designs", rows)
    score_designs(
        [designs],
        requests or write_requests(world),
        *world.inputs(),
        world.path("scores"),
        world.path("scores").with_suffix(".tsv"),
        world.path("properties"),
        settings=settings,
        seed=0,
        **{"threads": 1} | options,
    )
    scores = read_table(world.path("scores"), "design_scores").to_pylist()
    properties = read_table(world.path("properties"), "design_properties").to_pylist()
    return (
        {
            (r["predictor"], r["relation"], r["annotation"], r["stratum"], r["metric"]): r
            for r in scores
        },
        {(r["predictor"], r["id"], r["training_seed"]): r for r in properties},
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def scored(world):
    """Good designs of each family, and of the first one also every kind of failure."""
    rows = good_designs(world)
    rows += [
        design_row("KW:F0", 5, ""),
        design_row("KW:F0", 6, rows[0]["sequence"], finish_reason="length"),
        design_row("KW:F0", 7, "MKVX" + rows[0]["sequence"]),
        design_row("KW:F0", 8, "MKVLA"),
    ]
    return score(world, rows)


def value(scored, predictor, metric, annotation="all", stratum="all", relation="all"):
    return scored[0][predictor, relation, annotation, stratum, metric]


def test_systems_and_controls_stand_in_one_table(scored):
    predictors = {key[0] for key in scored[0]}
    controls = {f"writer:{name}" for name in ("shuffled", "markov", "fragment")}
    assert predictors == {"writer", "retrieval", "natural"} | controls
    # Every predictor has the same rows.
    rows = {p: {key[1:] for key in scored[0] if key[0] == p} for p in predictors}
    assert len(set(map(frozenset, rows.values()))) == 1
    for row in scored[0].values():
        assert (row["value"] is None) == (row["reason"] is not None)
        if row["low"] is not None:
            assert row["low"] <= row["value"] + 1e-9 and row["value"] <= row["high"] + 1e-9


def test_failures_stay_in_the_denominator(scored):
    row = value(scored, "writer", "valid", "KW:F0", relation="keyword")
    assert (row["value"], row["n"], row["seeds"], row["small_sample"]) == (0.5, 8, 1, True)
    assert value(scored, "writer", "valid")["value"] == 16 / 20
    assert value(scored, "writer", "closed")["value"] == 18 / 20
    reasons = {
        key[1]: row["invalid_reason"] for key, row in scored[1].items() if key[0] == "writer"
    }
    found = {name[-1]: reason for name, reason in reasons.items() if name.startswith("KW:F0:")}
    assert found == {
        **dict.fromkeys("1234"),
        "5": "empty",
        "6": "not_closed",
        "7": "letter",
        "8": "short",
    }
    requested = value(scored, "writer", "homology_requested", "KW:F0", relation="keyword")
    assert requested["value"] <= 0.5 and requested["n"] == 8


def test_what_was_asked_for_is_found_in_good_designs_alone(scored):
    for classifier in ("homology", "knn"):
        gain = {
            p: value(scored, p, f"{classifier}_gain") for p in ("writer", "retrieval", "natural")
        }
        assert gain["writer"]["value"] > 0.5, classifier
        assert gain["writer"]["requests"] == 4 and gain["writer"]["small_sample"]
        assert gain["writer"]["low"] > 0
        assert gain["retrieval"]["value"] > 0.5
        for control in ("shuffled", "markov"):
            assert value(scored, f"writer:{control}", f"{classifier}_gain")["value"] < 0.3
    mismatch = value(scored, "writer", "homology_mismatched")["value"]
    requested = value(scored, "writer", "homology_requested")["value"]
    assert mismatch < 0.1 < requested
    gain = value(scored, "writer", "homology_gain")["value"]
    assert gain == pytest.approx(requested - mismatch)


def test_novelty_by_bin(scored):
    assert value(scored, "retrieval", "novelty_>=90")["value"] == 1
    assert value(scored, "writer:fragment", "novelty_>=90")["value"] == 1
    assert value(scored, "writer:shuffled", "novelty_no_hit")["value"] > 0.9
    assert value(scored, "writer", "novelty_>=90")["value"] == 0
    assert 0.3 < value(scored, "writer", "max_identity")["value"] < 0.7
    bins = ("no_hit", "<30", "30-50", "50-70", "70-90", ">=90")
    shares = [value(scored, "writer", f"novelty_{name}")["value"] for name in bins]
    assert sum(shares) == pytest.approx(1)
    counted = {name: value(scored, "writer", "perplexity", stratum=name)["n"] for name in bins}
    assert sum(counted.values()) == 16
    # Agreement in a bin is that of its designs.
    full = max(counted, key=counted.get)
    row = value(scored, "writer", "homology_gain", stratum=full)
    assert row["n"] == counted[full] and row["value"] > 0.5
    empty = value(scored, "retrieval", "homology_gain", stratum="no_hit")
    assert empty["value"] is None and "no design" in empty["reason"]
    for (predictor, _, _), row in scored[1].items():
        if row["source"] and predictor == "retrieval":
            assert (row["nearest"], row["max_identity"], row["novelty"]) == (
                row["source"],
                1,
                ">=90",
            )


def test_lengths_compositions_and_perplexities(scored):
    # Designs of a family are as long as its members.
    one = value(scored, "writer", "length_wasserstein", "KW:F1", relation="keyword")
    assert one["value"] == 0 and one["n"] == 4
    assert value(scored, "writer", "length_ks", "KW:F1", relation="keyword")["value"] == 0
    # A shuffled design has the composition of its design.
    own = value(scored, "writer", "composition_js")["value"]
    assert own == pytest.approx(value(scored, "writer:shuffled", "composition_js")["value"])
    assert 0 < own < value(scored, "writer:markov", "composition_js")["value"]
    # What training holds is less surprising than what it does not.
    perplexity = {p: value(scored, p, "perplexity")["value"] for p in ("writer", "retrieval")}
    assert perplexity["retrieval"] < perplexity["writer"] < 20
    assert value(scored, "writer", "pseudo_perplexity")["value"] is None
    assert value(scored, "writer", "low_complexity")["value"] < 0.2


def test_diversity_counts_clusters_over_designs(scored):
    # Four designs at 60% identity to one founder have half of their residues in common at most.
    row = value(scored, "writer", "clusters_70", "KW:F1", relation="keyword")
    assert row["value"] == 1
    assert value(scored, "writer", "clusters_70", "KW:F0", relation="keyword")["value"] == 0.5


def test_same_inputs_give_the_same_bytes(world, scored, tmp_path):
    paths = [world.path("scores"), world.path("properties")]
    first = [sha256_file(path) for path in paths]
    rows = read_table(world.path("designs"), "designs").to_pylist()
    score(world, rows, threads=2)
    assert [sha256_file(path) for path in paths] == first
    facts = read_metadata(world.path("scores"))
    assert (facts["training_proteins"], facts["evidence_proteins"]) == ("20", "11")
    assert facts["min_residues"] == "20" and facts["mmseqs"]


def test_seeds_and_systems_side_by_side(tmp_path):
    world = make_world(tmp_path / "world")
    rows = good_designs(world, each=2)
    rows += [row | {"training_seed": 1} for row in rows]
    rows += [row | {"system": "other"} for row in good_designs(world, each=2, seed=5)]
    table, properties = score(world, rows)
    assert value((table,), "writer", "valid")["n"] == 16
    assert value((table,), "writer", "valid")["seeds"] == 2
    assert value((table,), "other", "valid")["seeds"] == 1
    assert ("other:markov", "all", "all", "all", "valid") in table
    # Two seeds that design the same are as diverse as either.
    one = value((table,), "writer", "clusters_70", "KW:F1", relation="keyword")
    assert one["value"] == 1
    assert len(properties) == 24 * 4 + 4 * 2 + 12


def test_no_designs_at_all(tmp_path):
    world = make_world(tmp_path / "world")
    table, properties = score(world, [])
    # Nothing to retrieve as many of; natural proteins stand alone.
    assert {key[0] for key in table} == {"natural"}
    assert value((table,), "natural", "valid")["value"] == 1
    assert all(key[0] == "natural" for key in properties)


def test_nothing_held_out(tmp_path):
    world = make_world(tmp_path / "world")
    rows = [split_row(a, a, "train" if a != "D1" else None) for a in world.sequences]
    write_table(world.path("split"), "split", rows)
    table, properties = score(world, good_designs(world))
    assert "natural" not in {key[0] for key in table}
    row = value((table,), "writer", "homology_gain")
    assert row["value"] is None and "no held-out protein" in row["reason"]
    assert value((table,), "writer", "valid")["value"] == 1
    assert properties["writer", "KW:F0:0001", 0]["homology_hit"] is None


def test_terms_that_training_never_saw(tmp_path):
    world = make_world(tmp_path / "world")
    strange = request_row("unknown:x", annotation=None, seen=False, training_proteins=0)
    requests = write_requests(world, request_row("KW:F0"), request_row("KW:F1"), strange)
    rows = [row for row in good_designs(world) if row["request"] in ("KW:F0", "KW:F1")]
    rows += [design_row("unknown:x", 1, rows[0]["sequence"], annotation=None)]
    table, _ = score(world, rows, requests)
    for metric in ("homology_gain", "length_ks", "composition_js"):
        row = value((table,), "writer", metric, "unknown:x", relation="keyword")
        assert row["value"] is None and row["reason"]
    assert value((table,), "writer", "valid", "unknown:x", relation="keyword")["value"] == 1
    assert value((table,), "writer", "homology_gain")["requests"] == 2
    row = value((table,), "retrieval", "valid", "unknown:x", relation="keyword")
    assert (row["value"], row["reason"], row["n"]) == (None, "no design", 0)


def test_short_designs_and_designs_of_one_request(tmp_path):
    world = make_world(tmp_path / "world")
    requests = write_requests(world, request_row("KW:F0"))
    rows = [design_row("KW:F0", 1, "MKVLA"), design_row("KW:F0", 2, "MKVLC")]
    table, properties = score(world, rows, requests, SETTINGS | {"min_residues": 3})
    assert properties["writer", "KW:F0:0001", 0]["entropy"] is None
    assert value((table,), "writer", "entropy")["value"] is None
    assert value((table,), "writer", "novelty_no_hit")["value"] == 1
    # There is no request that it could be mismatched to.
    assert "no mismatch" in value((table,), "writer", "knn_gain")["reason"]
    assert value((table,), "writer", "valid")["low"] is None


def test_bad_input(tmp_path):
    world = make_world(tmp_path / "world")
    rows = [design_row("KW:F9", 1, "MKV" * 20)]
    with pytest.raises(InputError, match="has no request KW:F9, which a design answers"):
        score(world, rows)
    for settings, message in (
        ({"colour": 1}, r"design\.evaluation has no option colour"),
        ({"min_residues": 50, "max_residues": 40}, r"design\.evaluation\.min_residues is 50"),
        ({"neighbours": 21}, r"design\.evaluation\.neighbours is 21"),
        ({"perplexity_order": 6}, r"perplexity_order is 6"),
    ):
        with pytest.raises(InputError, match=message):
            score(world, [], settings=settings)
    encoder = write_tiny_encoder(tmp_path / "encoder")
    good = good_designs(world, each=1)
    with pytest.raises(InputError, match="no language-model head"):
        score(world, good, encoder=encoder)


def test_a_design_of_another_request_is_no_success(tmp_path):
    world = make_world(tmp_path / "world")
    rows = good_designs(world)
    # Each request gets what the next one asks for.
    moved = [
        design_row(f"KW:F{(int(row['request'][-1]) + 1) % 4}", row["number"], row["sequence"])
        for row in rows
    ]
    table, _ = score(world, moved)
    for classifier in ("homology", "knn"):
        assert value((table,), "writer", f"{classifier}_gain")["value"] < -0.1
    assert value((table,), "writer", "homology_requested")["value"] < 0.1


def test_composition_of_unlike_designs_is_far(tmp_path):
    world = make_world(tmp_path / "world")
    import random

    rng = random.Random(0)
    odd = [design_row("KW:F0", n, "W" * 90 + natural_protein(rng, 10)) for n in range(1, 4)]
    table, _ = score(world, odd)
    row = value((table,), "writer", "composition_js", "KW:F0", relation="keyword")
    assert row["value"] > 0.5
    assert value((table,), "writer", "low_complexity")["value"] > 0.8
