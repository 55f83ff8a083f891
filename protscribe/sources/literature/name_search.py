"""Searching PubMed for the names of one protein."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from protscribe.errors import InputError
from protscribe.sources.client import Client
from protscribe.sources.literature.entrez import (
    DATES,
    SORTS,
    Hits,
    QueryRefused,
    phrase_key,
    search,
)
from protscribe.sources.literature.name_queries import Query, build_query, check_template

REFUSED = "query refused by PubMed"


@dataclass(frozen=True)
class NameSearch:
    """How PubMed is searched for names.

    Parameters
    ----------
    query_template
        PubMed query with {names} and, where the species is to be named, {organism}.
    field
        PubMed's tag of the field for names.
    phrases
        ``quoted``: phrases of PubMed's phrase index, and a second request with words next to
        each other for a protein with a phrase that is not in it. ``adjacent``: words next to
        each other from the start, so one request a protein.
    sort
        One of ``relevance``, ``pub_date``, ``Author``, ``JournalName``.
    max_hits
        Most publications of a protein; None for all.
    datetype
        Date by which lists beyond 9,999 hits are split: ``edat`` (entry) or ``pdat``.

    Raises
    ------
    InputError
        If a setting cannot be.
    """

    query_template: str
    sort: str
    max_hits: int | None
    field: str = "tiab"
    phrases: str = "quoted"
    datetype: str = "edat"

    def __post_init__(self) -> None:
        check_template(self.query_template, self.field)
        for name, allowed in (("sort", SORTS), ("datetype", DATES)):
            if getattr(self, name) not in allowed:
                raise InputError(
                    f"publications.{name}: {getattr(self, name)!r} is not one of "
                    f"{', '.join(allowed)}"
                )
        if self.phrases not in ("quoted", "adjacent"):
            raise InputError(f"publications.phrases: {self.phrases!r} is not quoted or adjacent")
        if self.max_hits is not None and self.max_hits < 1:
            raise InputError(f"publications.max_hits: {self.max_hits} is below 1")


@dataclass(frozen=True)
class Outcome:
    """What became of one protein's search."""

    accession: str
    query: Query
    hits: Hits | None = None
    apart: tuple[str, ...] = ()
    """Phrases that PubMed's phrase index lacks."""
    problem: tuple[str, str] | None = None


def look_up(client: Client, protein: Mapping[str, Any], settings: NameSearch) -> Outcome:
    """Search PubMed for the names of a protein.

    Parameters
    ----------
    client
        The network.
    protein
        A row of table proteins; see `build_query`.
    settings
        How to search.

    Raises
    ------
    InputError
        From the client. A query that PubMed refuses is an outcome.
    """
    accession = protein["accession"]
    query = build_query(protein, settings.query_template, settings.field)
    if not query.names:
        why = ", ".join(f"{name!r} {reason}" for name, reason in query.left_out.items())
        return Outcome(accession, query, problem=("no usable name", why or "it has none"))
    if "{organism}" in settings.query_template and not query.organism:
        return Outcome(accession, query, problem=("no organism", "the query needs one"))
    adjacent = query.phrases("names") if settings.phrases == "adjacent" else set()
    how: dict[str, Any] = {
        "sort": settings.sort,
        "wanted": settings.max_hits,
        "datetype": settings.datetype,
    }
    try:
        hits = search(client, query.render(adjacent), **how)
        apart = {p for p in query.phrases() - adjacent if phrase_key(p) in hits.unknown}
        if apart:
            # PubMed then finds nothing, or the words anywhere in the text; neither was asked for.
            hits = search(client, query.render(adjacent | apart), **how)
    except QueryRefused as error:
        problem = (REFUSED, f"{error}: {query.render(adjacent)}"[:500])
        return Outcome(accession, query, problem=problem)
    if not hits.ids:
        problem = ("no hits", query.render(adjacent | apart)[:500])
        return Outcome(accession, query, hits, tuple(sorted(apart)), problem)
    return Outcome(accession, query, hits, tuple(sorted(apart)))
