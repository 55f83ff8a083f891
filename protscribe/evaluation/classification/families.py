"""Pairing a protein with the instruction that asks for its family, among others as frequent.

In the published pairing task the wrong folds are drawn uniformly, so that the most frequent fold
among the options is right in 53 to 67% of questions, whatever the protein. Here the wrong families
of a fold are the right ones of its other proteins, dealt out in rounds of swaps: each family is
wrong as many times as often as it is right, for all families alike.
"""

from collections.abc import Iterator, Sequence

from protscribe.evaluation.classification import tasks
from protscribe.evaluation.classification.material import Benchmark
from protscribe.evaluation.classification.swaps import swap_negatives
from protscribe.seeds import derive_seed

RELATION = "family"

Row = tasks.Row


def pairing_questions(
    material: Benchmark, fold: str, accessions: Sequence[str], options: int
) -> Iterator[Row]:
    """Make one question about each protein that has a family.

    Parameters
    ----------
    material
        The annotations.
    fold
        The fold.
    accessions
        Its proteins, sorted.
    options
        Instructions of a question, the right one included. Where the fold has fewer families,
        all questions have that many.

    Yields
    ------
    dict
        Rows of table ``questions``. Proteins that no such question can be made of are rejected.
    """
    right = _right_families(material, accessions)
    wanted = min(options, len({material.names[family] for family in right.values()})) - 1
    right = _no_more_than_can_be_wrong(material, right, wanted + 1)
    proteins, families = list(right), list(right.values())
    own = {one: set(material.of(RELATION, one)) for one in proteins}
    # By name, because two databases may have the same family.
    taken = {one: {material.names.get(id_) for id_ in own[one]} for one in proteins}
    others: dict[str, list[str]] = {one: [] for one in proteins}

    def add(protein: str, family: str) -> None:
        others[protein].append(family)
        taken[protein].add(material.names[family])

    def forbidden(protein: str, family: str) -> bool:
        return material.names[family] in taken[protein]

    for turn in range(wanted):
        seed = derive_seed(material.seed, "pairing", fold, turn)
        found = swap_negatives(proteins, families, forbidden, seed=seed)
        for protein, family in zip(proteins, found, strict=True):
            if family is not None:
                add(protein, family)
    for protein in proteins:
        key = f"{tasks.PAIRING}:{protein}"
        # The last rounds of a small fold get stuck. One draw per protein keeps to frequencies.
        for other in material.by_hash(proteins, key):
            if len(others[protein]) < wanted and not forbidden(protein, right[other]):
                add(protein, right[other])
        if not wanted or len(others[protein]) < wanted:
            material.reject(key, "too_few_families", f"{len(others[protein])} others")
            continue
        sequence = material.proteins[protein]["sequence"]
        words = tasks.pairing_words(
            sequence, right[protein], others[protein], material.names, key=key
        )
        yield material.question(tasks.PAIRING, fold, protein, key, words)


def _right_families(material: Benchmark, accessions: Sequence[str]) -> dict[str, str]:
    """Return one family for each protein that has one with a name."""
    right = {}
    for accession in accessions:
        key = f"{tasks.PAIRING}:{accession}"
        families = material.of(RELATION, accession)
        if named := [family for family in families if family in material.names]:
            right[accession] = material.by_hash(named, key)[0]
        else:
            material.reject(key, "no_name" if families else "no_family", "; ".join(families))
    return right


def _no_more_than_can_be_wrong(
    material: Benchmark, right: dict[str, str], options: int
) -> dict[str, str]:
    """Return the proteins without those that make a family too frequent.

    A family that is right in more than one of `options` questions cannot be wrong so many times
    as often: there are not enough other proteins.
    """
    members: dict[str, list[str]] = {}
    for protein, family in right.items():
        members.setdefault(material.names[family], []).append(protein)
    counts = [len(found) for found in members.values()]
    limit = max(counts, default=0)
    while limit * options > sum(min(count, limit) for count in counts):
        limit -= 1
    kept = set()
    for name, found in sorted(members.items()):
        order = material.by_hash(found, tasks.PAIRING)
        kept.update(order[:limit])
        for protein in order[limit:]:
            material.reject(f"{tasks.PAIRING}:{protein}", "too_frequent", name)
    return {protein: family for protein, family in right.items() if protein in kept}
