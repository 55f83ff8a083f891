"""What designs are compared with: sequences that stand in the same tables as a system's."""

import bisect
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from protscribe.evaluation.design.carriers import Placed
from protscribe.evaluation.design.naturalness import KmerModel
from protscribe.evaluation.design.tables import design_id
from protscribe.models.sampling import CLOSED
from protscribe.seeds import derive_seed, unit_hash

SHUFFLED = "shuffled"
MARKOV = "markov"
FRAGMENT = "fragment"
MATCHED = (SHUFFLED, MARKOV, FRAGMENT)
"""Controls with one sequence for each design of a system: `SYSTEM:CONTROL` is their name."""
RETRIEVAL = "retrieval"
NATURAL = "natural"


class Candidate(NamedTuple):
    """A sequence that answers a request.

    Parameters
    ----------
    predictor
        A system or a control.
    id
        Id of the design, also of its controls; of a natural protein request and accession.
    training_seed
        Of the system; 0 where nothing was trained.
    request
        Id of the request.
    sequence
        Letters.
    finish_reason
        As in table ``designs``; natural proteins are closed.
    source
        Accession that a control was taken from.
    """

    predictor: str
    id: str
    training_seed: int
    request: str
    sequence: str
    finish_reason: str
    source: str | None = None


def as_candidates(designs: Sequence[Mapping[str, Any]]) -> list[Candidate]:
    """Return the rows of tables ``designs`` as candidates."""
    return [
        Candidate(
            row["system"],
            row["id"],
            row["training_seed"],
            row["request"],
            row["sequence"],
            row["finish_reason"],
        )
        for row in designs
    ]


def matched_controls(
    designs: Sequence[Candidate], training: Mapping[str, str], model: KmerModel, seed: int
) -> list[Candidate]:
    """Return three controls of each design that has a residue, as long as the design itself.

    ``shuffled`` has its residues in random order, and ends as it ended; ``markov`` is drawn from
    a Markov chain of training sequences; ``fragment`` is a random stretch of a training protein,
    whole if no training protein is as long as the design.

    Parameters
    ----------
    designs
        What a system designed.
    training
        Sequences of training proteins by accession.
    model
        The Markov chain.
    seed
        Seed; a control depends on its design and on no other.
    """
    kept = [design for design in designs if design.sequence]
    by_length = sorted(training, key=lambda a: (len(training[a]), a))
    lengths = [len(training[a]) for a in by_length]

    def drawn(name: str, one: Candidate) -> int:
        return derive_seed(seed, "design control", name, one.predictor, one.training_seed, one.id)

    def control(one: Candidate, name: str, **changes: Any) -> Candidate:
        return one._replace(predictor=f"{one.predictor}:{name}", **changes)

    made = []
    for one in kept:
        order = np.random.default_rng(drawn(SHUFFLED, one)).permutation(len(one.sequence))
        shuffled = "".join(one.sequence[i] for i in order)
        made.append(control(one, SHUFFLED, sequence=shuffled))
        rng = np.random.default_rng(drawn(FRAGMENT, one))
        first = min(bisect.bisect_left(lengths, len(one.sequence)), len(lengths) - 1)
        source = by_length[int(rng.integers(first, len(lengths)))]
        start = int(rng.integers(0, max(len(training[source]) - len(one.sequence), 0) + 1))
        part = training[source][start : start + len(one.sequence)]
        made.append(control(one, FRAGMENT, sequence=part, finish_reason=CLOSED, source=source))
    texts = model.sample([len(one.sequence) for one in kept], [drawn(MARKOV, one) for one in kept])
    made += [
        control(one, MARKOV, sequence=text, finish_reason=CLOSED)
        for one, text in zip(kept, texts, strict=True)
    ]
    return made


def natural_controls(
    designs: Sequence[Candidate],
    requests: Sequence[str],
    carriers: Mapping[str, set[str]],
    placed: Placed,
    *,
    most: int,
    seed: int,
) -> list[Candidate]:
    """Return natural proteins that have what was asked for.

    ``retrieval`` are training proteins, as many as designs of the request where there are so
    many: nobody can agree more with a request, and nothing is new. ``natural`` are held-out
    proteins, at most `most` of each request.

    Parameters
    ----------
    designs
        What systems designed.
    requests
        Ids of all requests.
    carriers
        Proteins that have the annotation of a request, by its id.
    placed
        Folds and sequences.
    most
        Most held-out proteins of a request.
    seed
        Seed of the choice.
    """
    counts: dict[tuple[str, str, int], int] = {}
    for one in designs:
        key = one.request, one.predictor, one.training_seed
        counts[key] = counts.get(key, 0) + 1
    wanted: dict[str, int] = {}
    for (request, _, _), count in counts.items():
        wanted[request] = max(wanted.get(request, 0), count)
    made = []
    for request in requests:
        chance = derive_seed(seed, "natural proteins", request)
        having = sorted(carriers[request], key=lambda a: (unit_hash(chance, a), a))
        known = [a for a in having if a in placed.training][: wanted.get(request, 0)]
        made += [
            Candidate(RETRIEVAL, design_id(request, n), 0, request, placed.training[a], CLOSED, a)
            for n, a in enumerate(known, 1)
        ]
        others = [a for a in having if a in placed.folds and a not in placed.training][:most]
        made += [
            Candidate(NATURAL, f"{request}:{a}", 0, request, placed.sequences[a], CLOSED, a)
            for a in others
        ]
    return made
