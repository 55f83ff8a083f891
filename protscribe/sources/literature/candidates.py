"""Which publications may speak of which protein: the table of candidates.

Two routes lead to a publication. Curated: the entry cites it, in a reference or as evidence of its
function text, so that it is about this protein of this species. Name search: PubMed finds the
protein's names in it, which may as well be names of something else; the table of mentions sorts
that out. What a search by relevance finds changes from day to day, so the table freezes it.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from protscribe.errors import InputError
from protscribe.schemas import TABLES
from protscribe.sources.client import Client, Network
from protscribe.sources.literature.entrez import Hits
from protscribe.sources.literature.name_search import REFUSED, NameSearch, Outcome, look_up
from protscribe.sources.literature.ncbi_jobs import THREADS, Threads, announce
from protscribe.sources.tally import tally
from protscribe.tables import read_table, write_table

STAGE = "search_publications"
ROUTES = ("curated", "name_search")
EVIDENCE = "evidence"
"""Scope of a publication that supports a statement of the function text."""

_COLUMNS = ("accession", "protein_name", "alternative_names", "gene_names", "organism")
_BATCH = 2000


def search_publications(
    proteins: Path,
    split: Path | None,
    candidates: Path,
    rejects: Path,
    *,
    routes: Sequence[str],
    folds: Sequence[str] = (),
    scopes: str | Sequence[str] = (),
    query_template: str = "{names}",
    sort: str = "relevance",
    max_hits: int | None = 50,
    field: str = "tiab",
    phrases: str = "quoted",
    datetype: str = "edat",
    network: Network | None = None,
    log: Path | None = None,
) -> None:
    """Find the publications that may speak of each protein.

    Parameters
    ----------
    proteins, split
        The tables; `split` is needed only with `folds`.
    candidates, rejects
        The tables to write. Each protein has candidates on a route or is a reject of it; rejects
        also tell of lists that the cap cut and of phrases that were searched another way.
    routes
        Any of `ROUTES`.
    folds
        Folds whose proteins are wanted; empty for all proteins.
    scopes
        Which of an entry's references count, by their scope (the RP line): words of which one
        must stand in it, or one regular expression; empty for all. Publications that support the
        function text count always.
    query_template, sort, max_hits, field, phrases, datetype
        How names are searched, see `NameSearch`.
    network, log
        As for `Client`; only the name search needs them.

    Raises
    ------
    InputError
        If a setting or table is wrong, if PubMed refuses the query of every protein, or from
        the client.
    """
    if not routes or set(routes) - set(ROUTES):
        raise InputError(f"publications.routes: give one or both of {', '.join(ROUTES)}")
    settings = NameSearch(query_template, sort, max_hits, field, phrases, datetype)
    table = _chosen_proteins(proteins, split, folds)
    found = _Found()
    if "curated" in routes:
        _find_curated(table, found, _scope_pattern(scopes))
    if "name_search" in routes:
        if network is None:
            raise InputError("publications.routes: name_search needs the network")
        announce(table.num_rows, "name search", network.rate("ncbi"))
        with Threads(network, log, THREADS) as threads:
            _find_by_name(table, found, settings, threads)
    found.check(table.num_rows, routes)
    found.report(table.num_rows, routes)
    write_table(rejects, "rejects", found.rejects)
    write_table(candidates, "candidates", found.table())


class _Found:
    """Candidates and rejects as they come in."""

    def __init__(self) -> None:
        self.rejects: list[dict[str, str]] = []
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.served: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self._columns: dict[str, list[Any]] = {n: [] for n in TABLES["candidates"].schema.names}
        self._parts: list[pa.Table] = []

    def add(self, accession: str, route: str, ids: Mapping[str, str | None]) -> None:
        """Add a protein's publications, id to scope, in the order of their rank."""
        self.served[route] += 1
        columns = self._columns
        columns["accession"] += [accession] * len(ids)
        columns["pubmed_id"] += ids
        columns["route"] += [route] * len(ids)
        columns["scope"] += ids.values()
        columns["rank"] += range(1, len(ids) + 1)
        if len(columns["rank"]) > 100_000:
            self._flush()

    def lose(self, accession: str, route: str, reason: str, detail: str = "") -> None:
        """Reject a protein on a route."""
        self.lost[route] += 1
        self.tell(accession, route, route, reason, detail)

    def tell(self, accession: str, route: str, what: str, reason: str, detail: str) -> None:
        """Put something worth knowing about a protein into the rejects."""
        self.reasons[route, reason] += 1
        row = {"stage": STAGE, "key": f"{accession} {what}", "reason": reason, "detail": detail}
        self.rejects.append(row)

    def table(self) -> pa.Table:
        """Return the candidates."""
        self._flush()
        return pa.concat_tables(self._parts)

    def check(self, proteins: int, routes: Sequence[str]) -> None:
        """Check that no protein is lost on a route."""
        for route in routes:
            if self.served[route] + self.lost[route] != proteins:
                raise RuntimeError(
                    f"{proteins} proteins, but {self.served[route]} + {self.lost[route]} came "
                    f"out of route {route}"
                )

    def report(self, proteins: int, routes: Sequence[str]) -> None:
        """Print a summary."""
        for route in routes:
            reasons = [(r, n) for (of, r), n in sorted(self.reasons.items()) if of == route]
            told = ", ".join(f"{count} {reason}" for reason, count in reasons) or "none"
            print(
                f"{route}: publications for {self.served[route]} of {proteins} proteins; "
                f"rejects: {told}",
                file=sys.stderr,
            )

    def _flush(self) -> None:
        self._parts.append(pa.table(self._columns, schema=TABLES["candidates"].schema))
        for column in self._columns.values():
            column.clear()


def _chosen_proteins(proteins: Path, split: Path | None, folds: Sequence[str]) -> pa.Table:
    table = read_table(proteins, "proteins", [*_COLUMNS, "references", "function_evidence"])
    if not folds:
        return table
    if split is None:
        raise InputError("publications.folds: folds are known only with a split")
    assigned = read_table(split, "split", ["accession", "fold"])
    wanted = assigned.filter(pc.is_in(assigned["fold"], pa.array(folds)))["accession"]
    chosen = table.filter(pc.is_in(table["accession"], wanted.combine_chunks()))
    if not chosen.num_rows:
        raise InputError(f"publications.folds: {split} has no protein in {', '.join(folds)}")
    return chosen


def _scope_pattern(scopes: str | Sequence[str]) -> re.Pattern[str]:
    if isinstance(scopes, str):
        expression = scopes
    else:
        expression = "|".join(rf"(?<!\w){re.escape(scope)}(?!\w)" for scope in scopes)
    try:
        return re.compile(expression, re.IGNORECASE)
    except re.error as error:
        raise InputError(
            f"publications.scopes: {scopes!r} is no regular expression ({error})"
        ) from None


def _find_curated(table: pa.Table, found: _Found, scopes: re.Pattern[str]) -> None:
    for protein in _rows(table, "curated"):
        ids: dict[str, set[str]] = {}
        for reference in protein["references"] or []:
            if reference["pubmed_id"] and scopes.search(reference["scope"] or ""):
                ids.setdefault(reference["pubmed_id"], set()).add(reference["scope"] or "")
        for evidence in protein["function_evidence"] or []:
            if evidence["pubmed_id"]:
                ids.setdefault(evidence["pubmed_id"], set()).add(EVIDENCE)
        accession = protein["accession"]
        for strange in [i for i in ids if not re.fullmatch(r"[1-9]\d{0,8}", i)]:
            del ids[strange]
            what = f"curated {strange}"
            found.tell(accession, "curated", what, "not a PubMed id", repr(strange))
        if ids:
            joined = {
                key: "; ".join(sorted(s for s in value if s)) or None for key, value in ids.items()
            }
            found.add(accession, "curated", joined)
        else:
            found.lose(accession, "curated", "no curated publication")


def _find_by_name(table: pa.Table, found: _Found, settings: NameSearch, threads: Threads) -> None:
    left_out: Counter[str] = Counter()
    refused: list[str] = []

    def ask(client: Client, protein: Mapping[str, Any]) -> Outcome:
        return look_up(client, protein, settings)

    for outcome in threads.map(ask, _rows(table, "name search")):
        left_out.update(outcome.query.left_out.values())
        if outcome.problem:
            reason, detail = outcome.problem
            found.lose(outcome.accession, "name_search", reason, detail)
            if reason == REFUSED:
                refused.append(detail)
        elif outcome.hits:
            _take(found, outcome, outcome.hits, settings)
    if refused and len(refused) == table.num_rows:
        raise InputError(
            f"PubMed refuses every query, the first one as: {refused[0]}; "
            "check publications.query_template and publications.field"
        )
    told = tally(left_out)
    print(f"names left out of queries: {told}", file=sys.stderr)


def _take(found: _Found, outcome: Outcome, hits: Hits, settings: NameSearch) -> None:
    found.add(outcome.accession, "name_search", dict.fromkeys(hits.ids))
    if outcome.apart:
        names = ", ".join(repr(name) for name in outcome.apart)
        detail = f"searched as words next to each other: {names}"
        found.tell(
            outcome.accession, "name_search", "phrases", "not in PubMed's phrase index", detail
        )
    if hits.count > len(hits.ids) + hits.unreached:
        detail = f"{hits.count:,} hits, the first {len(hits.ids):,} by {settings.sort} taken"
        found.tell(outcome.accession, "name_search", "cap", "more hits than the cap", detail)
    if hits.unreached:
        detail = f"{hits.count:,} hits, {hits.unreached:,} wanted ones of one day or undated"
        found.tell(
            outcome.accession, "name_search", "unlisted", "hits PubMed does not list", detail
        )


def _rows(table: pa.Table, what: str) -> Iterator[dict[str, Any]]:
    """Yield rows as dictionaries, a few at a time in memory."""
    progress = tqdm(total=table.num_rows, desc=what, unit=" proteins", mininterval=5)
    with progress:
        for batch in table.to_batches(max_chunksize=_BATCH):
            for row in batch.to_pylist():
                yield row
                progress.update()


def candidate_ids(candidates: Path) -> list[str]:
    """Return the PubMed ids of a table of candidates, each once."""
    column = read_table(candidates, "candidates", ["pubmed_id"])["pubmed_id"]
    return pc.unique(column).to_pylist()
