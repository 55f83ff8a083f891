"""Vectors of proteins, annotations and relations by TransE.

TransE (Bordes et al., "Translating embeddings for modeling multi-relational data", NIPS 2013)
asks that head plus relation be near tail, nearer by a margin than with a wrong head or tail.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn.functional import normalize

from protscribe.corpora.knowledge.numbered_graph import KnowledgeGraph, read_graph
from protscribe.errors import InputError
from protscribe.seeds import derive_seed
from protscribe.tables import read_metadata, write_table

PROTEIN, ANNOTATION, RELATION = "protein", "annotation", "relation"
"""Kinds of a vector."""
RELATION_PREFIX = "relation:"
SETTINGS = ("dim", "margin", "epochs", "learning_rate", "batch_size", "negatives")
_DRAWS = 10
_MANY = 1 << 62
_REPORTS = 10


def embed_knowledge(
    triples: Path,
    edges: Path | None,
    output: Path,
    *,
    settings: Mapping[str, Any],
    seed: int,
    device: str,
    threads: int,
) -> None:
    """Train TransE on the training fold's triples and write the vectors.

    Proteins of other folds, and annotations that only they have, get no vector.

    Parameters
    ----------
    triples
        Table ``knowledge_triples``; only the training fold is used.
    edges
        Table ``knowledge_edges``, whose edges from the training proteins' annotations upwards
        join as triples of their own relations; None to do without.
    output
        Table ``knowledge_vectors`` to write. Vectors of proteins and annotations have length 1.
        Its metadata holds the settings, the seed, how many triples and the final loss: the mean
        over triples and negatives of the hinge loss in the last epoch.
    settings
        ``dim`` of the vectors, ``margin`` of the loss, ``epochs``, ``learning_rate``,
        ``batch_size`` in triples and ``negatives`` a triple.
    seed
        Seed of the initial vectors, the order of triples and the negatives.
    device
        Torch device.
    threads
        CPU threads; no influence on the result.

    Raises
    ------
    InputError
        If a setting is missing, unknown or unfit, or a table is unfit or has no training triple.
    """
    _check_settings(settings)
    torch.set_num_threads(threads)
    graph = read_graph(triples, edges)
    entities, relations, loss = train(graph, settings, seed=seed, device=device)
    names = [
        *graph.proteins,
        *graph.annotations,
        *(RELATION_PREFIX + relation for relation in graph.relations),
    ]
    kinds = [
        *[PROTEIN] * len(graph.proteins),
        *[ANNOTATION] * len(graph.annotations),
        *[RELATION] * len(graph.relations),
    ]
    flat = torch.cat([entities, relations]).reshape(-1).numpy()
    offsets = np.arange(0, len(flat) + 1, settings["dim"], dtype=np.int32)
    vectors = pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))
    facts = {
        **read_metadata(triples),
        "transe_final_loss": f"{loss:.6f}",
        "transe_seed": str(seed),
        "transe_settings": json.dumps({name: settings[name] for name in SETTINGS}),
        "transe_triples": str(len(graph.triples)),
    }
    table = pa.table({"id": names, "kind": kinds, "vector": vectors})
    write_table(output, "knowledge_vectors", table, facts)


def train(
    graph: KnowledgeGraph, settings: Mapping[str, Any], *, seed: int, device: str
) -> tuple[Tensor, Tensor, float]:
    """Train TransE with the L2 distance, a margin ranking loss and uniform negatives.

    As in the paper, vectors start uniform in +-6/sqrt(dim), those of relations are brought to
    length 1 once and those of entities at every step, of which only the ones that the step has
    changed need it, and each negative replaces the head or the tail, as a coin decides. Otherwise
    than there,

    - a protein is replaced by any protein and an annotation by any annotation. With all entities
      to choose from, the cheapest lesson is to keep the two kinds apart, and all proteins come to
      lie close together, nearer than the published limit of a property cluster;
    - a negative that is a known triple is drawn again, and left out where that does not help;
    - Adagrad (Duchi et al. 2011) replaces gradient descent at one rate, since a batch holds a
      rare term once and a relation a thousand times. Gradients are sparse.

    Parameters
    ----------
    graph
        The triples.
    settings, seed, device
        As in `embed_knowledge`.

    Returns
    -------
    entities
        Float32 (entities x dim), each of length 1, on the CPU.
    relations
        Float32 (relations x dim), on the CPU.
    loss
        Mean hinge loss of the last epoch.
    """
    random = torch.Generator().manual_seed(derive_seed(seed, "transe"))
    bound = 6 / settings["dim"] ** 0.5
    vectors = []
    for count in (graph.entities, len(graph.relations)):
        drawn = torch.rand((count, settings["dim"]), generator=random) * (2 * bound) - bound
        vectors.append(torch.nn.Parameter(normalize(drawn).to(device)))
    entities, relations = vectors
    known = torch.sort(_codes(graph, *torch.from_numpy(graph.triples).unbind(1))).values
    optimizer = torch.optim.Adagrad(vectors, lr=settings["learning_rate"])
    loss = 0.0
    every = -(-settings["epochs"] // _REPORTS)
    for epoch in range(settings["epochs"]):
        total, count = 0.0, 0
        for positive, wrong, replaces_head, valid in _batches(graph, known, settings, random):
            optimizer.zero_grad()
            losses = _hinge(
                entities,
                relations,
                positive.to(device),
                wrong.to(device),
                replaces_head.to(device),
                settings["margin"],
            )
            losses = losses[valid.to(device)]
            # Set one way or the other, or else torch warns that it is left open.
            with torch.sparse.check_sparse_tensor_invariants(False):
                losses.sum().backward()
                optimizer.step()
            with torch.no_grad():
                changed = torch.unique(torch.cat([positive[:, ::2].reshape(-1), wrong.reshape(-1)]))
                changed = changed.to(device)
                entities[changed] = normalize(entities[changed])
            # NumPy adds in an order that does not depend on the number of threads.
            total += float(losses.detach().cpu().numpy().sum(dtype=np.float64))
            count += len(losses)
        loss = total / max(count, 1)
        if (epoch + 1) % every == 0 or epoch + 1 == settings["epochs"]:
            print(f"epoch {epoch + 1}: mean loss {loss:.4f}", file=sys.stderr, flush=True)
    return entities.detach().cpu(), relations.detach().cpu(), loss


def _hinge(
    entities: Tensor,
    relations: Tensor,
    positive: Tensor,
    wrong: Tensor,
    replaces_head: Tensor,
    margin: float,
) -> Tensor:
    """Return the hinge losses (triples x negatives) of triples with their wrong entities."""
    head, tail = (_rows(entities, positive[:, column]) for column in (0, 2))
    shift = _rows(relations, positive[:, 1])
    other = _rows(entities, wrong)
    forward, backward = (head + shift)[:, None], (tail - shift)[:, None]
    # With a wrong head h' the difference h' + r - t is h' less what the head should be.
    reached = torch.where(replaces_head[..., None], backward, forward)
    right = torch.linalg.vector_norm(head + shift - tail, dim=-1)
    return torch.relu(margin + right[:, None] - torch.linalg.vector_norm(reached - other, dim=-1))


def _rows(vectors: Tensor, numbers: Tensor) -> Tensor:
    return torch.nn.functional.embedding(numbers, vectors, sparse=True)


def _batches(
    graph: KnowledgeGraph, known: Tensor, settings: Mapping[str, Any], random: torch.Generator
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Yield triples, wrong entities, whether each replaces the head, and which are valid."""
    rows, proteins = torch.from_numpy(graph.triples), len(graph.proteins)
    order = torch.randperm(len(rows), generator=random)
    for numbers in order.split(settings["batch_size"]):
        batch = rows[numbers]
        shape = (len(batch), settings["negatives"])
        replaces_head = torch.rand(shape, generator=random) < 0.5
        head, relation, tail = (column[:, None].expand(shape) for column in batch.unbind(1))
        is_protein = torch.where(replaces_head, head, tail) < proteins
        first = torch.where(is_protein, 0, proteins)
        choices = torch.where(is_protein, proteins, graph.entities - proteins)
        wrong, bad = torch.empty(shape, dtype=torch.int64), torch.ones(shape, dtype=torch.bool)
        for _ in range(_DRAWS):
            drawn = torch.randint(_MANY, (int(bad.sum()),), generator=random)
            wrong[bad] = first[bad] + drawn % choices[bad]
            heads = torch.where(replaces_head, wrong, head)
            tails = torch.where(replaces_head, tail, wrong)
            bad = _contains(known, _codes(graph, heads, relation, tails))
            if not bad.any():
                break
        yield batch, wrong, replaces_head, ~bad


def _codes(graph: KnowledgeGraph, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
    """Return one number a triple; half a million entities leave room for 36 million relations."""
    return (relations * graph.entities + heads) * graph.entities + tails


def _contains(ascending: Tensor, values: Tensor) -> Tensor:
    places = torch.searchsorted(ascending, values).clamp(max=len(ascending) - 1)
    return ascending[places] == values


def _check_settings(settings: Mapping[str, Any]) -> None:
    if odd := sorted(set(settings) ^ set(SETTINGS)):
        known = ", ".join(SETTINGS)
        raise InputError(f"knowledge.embedding takes {known}; missing or unknown: {', '.join(odd)}")
    for name in SETTINGS:
        value = settings[name]
        whole = name not in ("margin", "learning_rate")
        fits = isinstance(value, int) or (isinstance(value, float) and not whole)
        if isinstance(value, bool) or not fits or not 0 < value < float("inf"):
            what = "a whole number above 0" if whole else "a number above 0"
            raise InputError(f"knowledge.embedding.{name} is {value!r}; give {what}")
