"""Statements of the proteins table: which protein says what in which field, column by column."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from protscribe.corpora.knowledge import entry_texts
from protscribe.corpora.knowledge.annotations import Mention, Reading, Refusal
from protscribe.corpora.knowledge.relations import ASPECT_RELATIONS, INTERPRO_RELATIONS
from protscribe.corpora.knowledge.vocabularies import Vocabularies

Numbers = npt.NDArray[np.int64]

COLUMNS = (
    *("accession", "go", "domains", "family", "features"),
    *("ec", "cofactors", "subcellular_location", "keywords"),
)
"""Columns of the proteins table that hold statements."""

INTERPRO = "InterPro"

Read = Callable[[str], Reading | Refusal]


@dataclass(frozen=True)
class Statements:
    """The statements of one field, each once per protein.

    Parameters
    ----------
    field
        Column of the proteins table.
    rows, codes
        Row of the protein and number of the value, each of shape (statements,).
    values
        The distinct values.
    readings
        What each value means.
    """

    field: str
    rows: Numbers
    codes: Numbers
    values: pa.Array
    readings: list[Reading | Refusal]

    def weighted_mentions(self) -> Iterator[tuple[Mention, int]]:
        """Yield each mention with the number of statements that make it."""
        counts = np.bincount(self.codes, minlength=len(self.values)).tolist()
        for reading, count in zip(self.readings, counts, strict=True):
            if isinstance(reading, Reading):
                for mention in reading.all_mentions():
                    yield mention, count


def read_statements(
    proteins: pa.Table, vocabularies: Vocabularies, relations: Sequence[str]
) -> list[Statements]:
    """Read the fields that can hold one of the relations.

    Parameters
    ----------
    proteins
        Columns `COLUMNS` of the proteins table.
    vocabularies
        The vocabularies at hand. InterPro's list of entries has names and types; without it the
        short names of the entry stand in, and domains of features are taken as well. With it they
        are taken where a protein has no InterPro entry, since they would be the same domains
        under other names.
    relations
        The chosen relations.
    """
    chosen = set(relations)
    found: list[Statements] = []
    if chosen & set(ASPECT_RELATIONS.values()):
        rows, records = _flat(proteins, "go")
        ids = pc.struct_field(records, "id")
        found.append(_statements("go", rows, ids, vocabularies.read_go))
    if chosen & set(INTERPRO_RELATIONS.values()):
        found += _structure(proteins, vocabularies, chosen)
    if chosen & {"family", "superfamily"}:
        texts = proteins["family"].combine_chunks()
        rows = pa.array(np.arange(len(texts)))
        found.append(_statements("family", rows, texts, entry_texts.read_family))
    if "ec" in chosen:
        found.append(_statements("ec", *_flat(proteins, "ec"), vocabularies.read_ec))
    if "cofactor" in chosen:
        rows, texts = _flat(proteins, "cofactors")
        read = _knowing_chemicals(texts, vocabularies, entry_texts.read_cofactor)
        found.append(_statements("cofactors", rows, texts, read))
    if "location" in chosen:
        rows, texts = _flat(proteins, "subcellular_location")
        places = vocabularies.places
        read = lambda text: entry_texts.read_location(text, places)  # noqa: E731
        found.append(_statements("subcellular_location", rows, texts, read))
    if "keyword" in chosen:
        rows, names = _flat(proteins, "keywords")
        found.append(_statements("keywords", rows, names, vocabularies.read_keyword))
    return found


def _structure(
    proteins: pa.Table, vocabularies: Vocabularies, chosen: set[str]
) -> Iterator[Statements]:
    rows, records = _flat(proteins, "domains")
    ours = pc.equal(pc.struct_field(records, "db"), INTERPRO)
    interpro_rows, records = rows.filter(ours), records.filter(ours)
    ids, names = (pc.struct_field(records, name) for name in ("id", "name"))
    short_name = _commonest(ids, names)
    yield _statements(
        "domains",
        interpro_rows,
        ids,
        lambda identifier: vocabularies.read_interpro(identifier, short_name.get(identifier)),
    )
    rows, records = _flat(proteins, "features")
    types, notes = (pc.struct_field(records, name) for name in ("type", "note"))
    wanted = pa.array(np.zeros(len(rows), dtype=bool))
    if chosen & {"active_site", "binding_site"}:
        wanted = pc.is_in(types, pa.array(entry_texts.SITE_FEATURES))
    if chosen & {"domain", "repeat"}:
        domains = pc.is_in(types, pa.array(entry_texts.DOMAIN_FEATURES))
        if vocabularies.interpro:
            domains = pc.and_not(domains, pc.is_in(rows, pc.unique(interpro_rows)))
        wanted = pc.or_(wanted, domains)
    texts = pc.binary_join_element_wise(types, pc.fill_null(notes, ""), " ")
    rows, texts = rows.filter(wanted), pc.utf8_rtrim_whitespace(texts.filter(wanted))
    read = _knowing_chemicals(texts, vocabularies, entry_texts.read_feature)
    yield _statements("features", rows, texts, read)


def _statements(field: str, rows: pa.Array, values: pa.Array, read: Read) -> Statements:
    there = pc.is_valid(values)
    encoded = values.filter(there).dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    size = max(len(encoded.dictionary), 1)
    once = np.unique(rows.filter(there).to_numpy(zero_copy_only=False) * size + codes)
    readings = [read(value) for value in encoded.dictionary.to_pylist()]
    return Statements(field, once // size, once % size, encoded.dictionary, readings)


def _flat(proteins: pa.Table, column: str) -> tuple[pa.Array, pa.Array]:
    """Return the row of each item of a column of lists, and the items."""
    lists = proteins[column].combine_chunks()
    return pc.list_parent_indices(lists).cast(pa.int64()), pc.list_flatten(lists)


def _commonest(ids: pa.Array, names: pa.Array) -> dict[str, str]:
    """Return the commonest name of each id; of equal ones, the first by letters."""
    pairs = pa.table({"id": ids, "name": names}).filter(pc.is_valid(names))
    counted = pairs.group_by(["id", "name"]).aggregate([([], "count_all")])
    order = [("count_all", "ascending"), ("name", "descending")]
    counted = counted.sort_by(order)
    return dict(zip(counted["id"].to_pylist(), counted["name"].to_pylist(), strict=True))


def _knowing_chemicals(
    texts: pa.Array,
    vocabularies: Vocabularies,
    read: Callable[[str, dict[str, str]], Reading | Refusal],
) -> Read:
    """Return a reader to which different names of one chemical are one."""
    readings = [read(text, {}) for text in pc.unique(texts).to_pylist() if text]
    names = {
        mention.name.casefold().removesuffix(" binding site")
        for reading in readings
        if isinstance(reading, Reading)
        for mention in reading.mentions
    }
    known = vocabularies.chemical_ids(names)
    return lambda text: read(text, known)
