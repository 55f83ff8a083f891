"""Which training triples become instructions, and how often.

Annotated proteins are no fair sample of nature: some families have hundreds of members, some
terms stand on every other protein. Sampling evens that out.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from protscribe.atomic import write_json
from protscribe.corpora.knowledge.sampling_report import describe_sampling
from protscribe.corpora.knowledge.training_triples import read_training_triples
from protscribe.errors import InputError
from protscribe.seeds import derive_seed
from protscribe.tables import read_metadata, read_table, write_table

Numbers = np.ndarray
PUBLISHED_POWER = 0.0
"""The power of a term's frequency that leaves all triples of a protein alike."""


def sample_triples(
    triples: Path,
    split: Path,
    clusters: Path,
    output: Path,
    report: Path,
    *,
    method: str,
    draws: int | None,
    power: float,
    seed: int,
) -> None:
    """Draw triples of the training fold, with replacement.

    Parameters
    ----------
    triples
        Table ``knowledge_triples``; other folds than the training fold are left out.
    split
        Table ``split``, which has to agree that their proteins are for training.
    clusters
        Table ``clusters`` of exactly the proteins with a training triple.
    output
        Table ``sampled_triples`` to write: each triple that was drawn, and how often.
    report
        JSON file to write; see `describe_sampling`. Its ``methods`` are exact and hold all
        methods, so that they can be compared whichever was chosen.
    method
        A key of `METHODS`.
    draws
        How many draws; None for as many as there are training triples.
    power
        Power of a term's frequency in ``tempered``.
    seed
        Seed of the draws.

    Raises
    ------
    InputError
        If a setting is unfit, a protein is not for training, or the clusters are those of other
        proteins.
    """
    if method not in METHODS:
        known = ", ".join(METHODS)
        raise InputError(f"knowledge.sampling.method is {method!r}; give one of {known}")
    if draws is not None and draws < 1:
        raise InputError(f"knowledge.sampling.draws is {draws}; give 1 or more, or null")
    if not -10 <= power <= 0:
        raise InputError(f"knowledge.sampling.power is {power}; give -10 to 0, such as -0.5")
    table = read_training_triples(triples, split)
    proteins, protein_of = _number(table["accession"])
    annotations, annotation_of = _number(table["annotation"])
    relations, relation_of = _number(table["relation"])
    _check_terms(triples, relation_of, annotation_of, annotations)
    cluster_of = _clusters(clusters, proteins)
    total = table.num_rows if draws is None else draws
    chances = {
        name: compute(protein_of, annotation_of, cluster_of, power)
        for name, compute in METHODS.items()
    }
    drawn = draw(chances[method], total, derive_seed(seed, "triples", method))
    facts = describe_sampling(
        chances,
        drawn,
        annotation_of,
        relation_of,
        annotations=annotations,
        relations=relations,
        cluster_sizes=np.bincount(cluster_of),
    )
    write_json(report, {**facts, "method": method, "power": power, "seed": seed})
    rows = table.append_column("draws", pa.array(drawn)).filter(pa.array(drawn > 0))
    metadata = read_metadata(triples) | {
        "sampling_method": method,
        "sampling_power": f"{power:g}",
        "sampling_draws": str(total),
        "sampling_seed": str(seed),
    }
    write_table(output, "sampled_triples", rows, metadata)


def uniform(
    protein_of: Numbers, annotation_of: Numbers, cluster_of: Numbers, power: float
) -> Numbers:
    """Return the same probability for every triple.

    Parameters and result as in `tempered`.
    """
    return np.full(len(protein_of), 1 / len(protein_of))


def published(
    protein_of: Numbers, annotation_of: Numbers, cluster_of: Numbers, power: float
) -> Numbers:
    """Return InstructProtein's probabilities: 1/m x 1/|C| x 1/|p| (Wang et al., ACL 2024).

    There are m clusters, |C| proteins in the protein's cluster and |p| triples of the protein.
    Since a protein's chance is shared by its triples, those of sparsely annotated proteins, which
    tend to be the common ones, come up more often than in a uniform draw. Parameters and result
    as in `tempered`.
    """
    return tempered(protein_of, annotation_of, cluster_of, PUBLISHED_POWER)


def tempered(
    protein_of: Numbers, annotation_of: Numbers, cluster_of: Numbers, power: float
) -> Numbers:
    """Return 1/m x 1/|C| x f(t)^power / (sum of f^power over the protein's triples).

    Parameters
    ----------
    protein_of, annotation_of
        Number of each triple's protein and annotation, int64 (triples). Every protein has one.
    cluster_of
        Number of each protein's cluster, int64 (proteins). No cluster is empty.
    power
        How strongly the frequency f(t), the number of these triples with annotation t, counts
        against a term; 0 not at all.

    Returns
    -------
    numpy.ndarray
        Float64 (triples); the sum is 1.
    """
    sizes = np.bincount(cluster_of)
    weights = np.bincount(annotation_of)[annotation_of].astype(np.float64) ** power
    shares = weights / np.bincount(protein_of, weights=weights)[protein_of]
    return shares / (len(sizes) * sizes[cluster_of[protein_of]])


METHODS: Mapping[str, Callable[[Numbers, Numbers, Numbers, float], Numbers]] = {
    "uniform": uniform,
    "published": published,
    "tempered": tempered,
}
"""Name of a way to sample to the function that gives its probabilities."""


def draw(chances: Numbers, draws: int, seed: int) -> Numbers:
    """Return how often each item comes up, int64 (items), in draws with replacement.

    Parameters
    ----------
    chances
        Probabilities (items) whose sum is 1.
    draws
        How many draws.
    seed
        Seed of the draws.
    """
    ends = np.cumsum(chances)
    points = np.random.default_rng(seed).random(draws) * ends[-1]
    # A rounded product can fall on the very end, which belongs to the last item with a chance.
    last = int(np.flatnonzero(chances)[-1])
    items = np.minimum(np.searchsorted(ends, points, side="right"), last)
    return np.bincount(items, minlength=len(chances)).astype(np.int64)


def _number(column: pa.ChunkedArray) -> tuple[list[str], Numbers]:
    """Return a column's distinct values, sorted, and the place of each row's value among them."""
    names = sorted(column.unique().to_pylist())
    places = pc.index_in(column, value_set=pa.array(names, pa.string()))
    return names, places.to_numpy().astype(np.int64)


def _check_terms(
    triples: Path, relation_of: Numbers, annotation_of: Numbers, annotations: list[str]
) -> None:
    """Check that each annotation has one relation, so that a term's frequency is one number."""
    lowest, highest = np.full(len(annotations), len(relation_of)), np.zeros(len(annotations), int)
    np.minimum.at(lowest, annotation_of, relation_of)
    np.maximum.at(highest, annotation_of, relation_of)
    if (both := np.flatnonzero(lowest != highest)).size:
        raise InputError(
            f"{triples}: annotation {annotations[both[0]]} stands under two relations; "
            "make the graph again"
        )


def _clusters(path: Path, proteins: list[str]) -> Numbers:
    """Return the number of each protein's cluster, in the order of the proteins."""
    table = read_table(path, "clusters").sort_by("accession")
    if table["accession"].to_pylist() != proteins:
        raise InputError(
            f"{path}: holds other proteins than those with a training triple; make it again "
            "from this graph (rule cluster_knowledge)"
        )
    if table["cluster"].null_count:
        raise InputError(f"{path}: a protein has no cluster; make it again from this graph")
    return _number(table["cluster"])[1]
