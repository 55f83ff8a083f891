"""Pairs that say the same: near-identical ones, within a protein and across proteins.

Two pairs are compared by the 3-grams of words in question and answer; MinHash (Broder, 1997)
estimates their Jaccard similarity, and locality-sensitive hashing finds the candidates.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from datasketch import MinHash, MinHashLSH

from protscribe.seeds import derive_seed, unit_hash

PERMUTATIONS = 128
GRAM = 3

_WORD = re.compile(r"\w+")
# Candidates are looked for below the threshold, since the index misses some at it.
_SLACK = 0.1


def signatures(rows: Sequence[Mapping[str, Any]], seed: int) -> dict[str, MinHash]:
    """Return the MinHash of each pair by its id.

    Parameters
    ----------
    rows
        Rows of table qa_pairs.
    seed
        Seed of the permutations.
    """
    first = MinHash(PERMUTATIONS, seed=derive_seed(seed, "minhash"))
    found = {}
    for row in rows:
        # One set of permutations serves all.
        one = MinHash(PERMUTATIONS, permutations=first.permutations, scheme=first.scheme)
        one.update_batch([gram.encode() for gram in _grams(row["question"], row["answer"])])
        found[row["id"]] = one
    return found


def repeated_within(
    rows: Sequence[Mapping[str, Any]], hashes: Mapping[str, MinHash], threshold: float
) -> dict[str, str]:
    """Return the pairs that repeat an earlier one of their protein, with that one's id.

    Parameters
    ----------
    rows
        Rows of table qa_pairs; the first by id of those that are alike stays.
    hashes
        What `signatures` returns.
    threshold
        Estimated Jaccard similarity from which two are alike.
    """
    of_protein: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        of_protein[row["accession"]].append(row["id"])
    repeated: dict[str, str] = {}
    for ids in of_protein.values():
        kept: list[str] = []
        values = np.empty((len(ids), PERMUTATIONS), dtype=np.uint32)
        for id_ in sorted(ids):
            mine = hashes[id_].hashvalues
            alike = (values[: len(kept)] == mine).mean(axis=1) >= threshold
            if alike.any():
                repeated[id_] = kept[int(alike.argmax())]
            else:
                values[len(kept)] = mine
                kept.append(id_)
    return repeated


def shared_by_many(
    rows: Sequence[Mapping[str, Any]],
    hashes: Mapping[str, MinHash],
    threshold: float,
    max_shared: int,
    seed: int,
) -> dict[str, str]:
    """Return the pairs of which enough other proteins have the like, with one such pair's id.

    Pairs are taken in the order of a hash of their ids, whatever protein or writer they are of.

    Parameters
    ----------
    rows, hashes, threshold
        As in `repeated_within`.
    max_shared
        Most proteins that may keep near-identical pairs.
    seed
        Seed of the order.
    """
    accession_of = {row["id"]: row["accession"] for row in rows}
    lower = min(max(threshold - _SLACK, 0.05), 0.9)
    index = MinHashLSH(threshold=lower, num_perm=PERMUTATIONS)
    left_out: dict[str, str] = {}
    for id_ in sorted(accession_of, key=lambda id_: (unit_hash(seed, id_), id_)):
        mine = hashes[id_]
        alike = sorted(key for key in index.query(mine) if mine.jaccard(hashes[key]) >= threshold)
        if len({accession_of[key] for key in alike} - {accession_of[id_]}) >= max_shared:
            left_out[id_] = alike[0]
        else:
            index.insert(id_, mine)
    return left_out


def beyond_limit(rows: Sequence[Mapping[str, Any]], max_pairs: int, seed: int) -> set[str]:
    """Return the pairs of proteins with more than `max_pairs` that are too many.

    Those that stay are spread over categories and writers: each of these in turn gives its next
    pair in the order of a hash of the ids.

    Parameters
    ----------
    rows
        Rows of table qa_pairs.
    max_pairs
        Most pairs of a protein.
    seed
        Seed of the order.
    """
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in rows:
        groups[row["accession"], row["category"] or "", row["writer"]].append(row["id"])
    places: dict[str, list[tuple[int, float, str]]] = defaultdict(list)
    for (accession, _, _), ids in groups.items():
        ordered = sorted((unit_hash(seed, id_), id_) for id_ in ids)
        places[accession] += [(turn, hash_, id_) for turn, (hash_, id_) in enumerate(ordered)]
    return {id_ for of_one in places.values() for _, _, id_ in sorted(of_one)[max_pairs:]}


def _grams(question: str, answer: str) -> set[str]:
    words = _WORD.findall(f"{question} {answer}".lower())
    count = max(len(words) - GRAM + 1, 1)
    return {" ".join(words[i : i + GRAM]) for i in range(count)}
