from protscribe.corpora.qa.duplicates import (
    beyond_limit,
    repeated_within,
    shared_by_many,
    signatures,
)

LONG = "It binds the minor groove of DNA at the promoters of genes for amino acid synthesis"


def row(id_, answer, question="What does this protein do in the cell?", **changes):
    return {
        "id": id_,
        "accession": id_.split(":")[0],
        "question": question,
        "answer": answer,
        "category": "function",
        "writer": "language_model",
    } | changes


def test_signatures_estimate_jaccard_of_word_3_grams():
    rows = [row("A:1", LONG), row("A:2", LONG.upper() + "!"), row("A:3", "Something else entirely")]
    hashes = signatures(rows, 0)
    assert hashes["A:1"].jaccard(hashes["A:2"]) == 1.0
    # 5 of 26 3-grams are those of the question.
    assert hashes["A:1"].jaccard(hashes["A:3"]) < 0.5
    again, other = signatures(rows, 0), signatures(rows, 1)
    assert (hashes["A:1"].hashvalues == again["A:1"].hashvalues).all()
    assert (hashes["A:1"].hashvalues != other["A:1"].hashvalues).any()


def test_short_texts_have_signatures_too():
    hashes = signatures([row("A:1", "", question=""), row("A:2", "DNA", question="")], 0)
    assert hashes["A:1"].jaccard(hashes["A:2"]) < 0.5


def test_within_a_protein_the_first_by_id_stays():
    rows = [
        row("A:3", LONG), row("A:1", LONG), row("A:2", "It cuts RNA into pieces of 21 letters"),
        row("B:1", LONG), row("A:4", LONG + " too"),
    ]  # fmt: skip
    found = repeated_within(rows, signatures(rows, 0), 0.8)
    assert found == {"A:3": "A:1", "A:4": "A:1"}


def test_across_proteins_only_so_many_stay():
    rows = [row(f"P{i}:1", LONG) for i in range(10)] + [row("Q:1", "It cuts RNA in two")]
    hashes = signatures(rows, 0)
    found = shared_by_many(rows, hashes, 0.8, 3, seed=4)
    assert len(found) == 7 and "Q:1" not in found
    kept = {r["id"] for r in rows} - found.keys()
    assert set(found.values()) <= kept
    assert shared_by_many(rows[::-1], hashes, 0.8, 3, seed=4) == found
    assert shared_by_many(rows, hashes, 0.8, 3, seed=5).keys() != found.keys()
    assert shared_by_many(rows, hashes, 0.8, 10, seed=4) == {}
    assert shared_by_many(rows, hashes, 1.0, 3, seed=4).keys() == found.keys()


def test_pairs_of_one_protein_count_once():
    rows = [row(f"P:{i}", LONG) for i in range(4)] + [row("Q:1", LONG)]
    assert shared_by_many(rows, signatures(rows, 0), 0.8, 2, seed=0) == {}


def test_the_limit_spreads_over_categories_and_writers():
    rows = [row(f"A:{i}", "x") for i in range(8)]
    rows += [row("A:loc", "x", category="location"), row("A:t", "x", writer="template")]
    rows += [row("B:1", "x")]
    surplus = beyond_limit(rows, 4, seed=1)
    kept = {r["id"] for r in rows} - surplus
    assert {"A:loc", "A:t", "B:1"} < kept and len(kept) == 5
    assert beyond_limit(rows[::-1], 4, seed=1) == surplus
    assert beyond_limit(rows, 20, seed=1) == set()
