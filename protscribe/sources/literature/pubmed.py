"""PubMed citations from raw answers or files into the table of publications."""

import hashlib
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
from tqdm import tqdm

from protscribe.atomic import read_json, sha256_file
from protscribe.errors import InputError
from protscribe.processes import ordered_map
from protscribe.schemas import TABLES
from protscribe.sources.literature.pubmed_text import read_json_lines, read_medline
from protscribe.sources.literature.pubmed_xml import Citation, read_xml
from protscribe.sources.tally import tally
from protscribe.sources.text_files import open_text
from protscribe.tables import write_table

STAGE = "parse_publications"

_KEPT = [c for c in TABLES["publications"].schema.names if c not in ("licence", "source")]
_SCHEMA = pa.schema(
    [
        *(TABLES["publications"].schema.field(column) for column in _KEPT),
        pa.field("version", pa.int64()),
        pa.field("deleted", pa.bool_()),
        pa.field("place", pa.string()),
    ]
)
_BATCH = 5000
POOL_FROM = 4
"""Files per process from which on starting processes pays."""


def parse_publications(
    raw: Path | Sequence[Path],
    publications: Path,
    rejects: Path,
    *,
    metadata: Mapping[str, str],
    wanted: Collection[str] | None = None,
    drop_retracted: bool = True,
    processes: int = 1,
) -> None:
    """Parse citations into the publications table, each PubMed id once; list the others.

    Of several citations with one id the highest version counts, and of the same version the last
    one, so that PubMed's update files come after its baseline. A deletion takes back what came
    before it. Citations without an abstract are rejected, because a title is not an abstract.
    Licences are unknown here and stay null.

    Parameters
    ----------
    raw
        A manifest of raw files: JSON with ``source``; ``files``, each with ``name`` (a path from
        the manifest's folder), ``sha256`` and, where not all its citations count, ``pubmed_ids``;
        and, where known, all ``wanted`` ids. Or the user's files, in order: PubMed XML, PubMed's
        text format, or JSON lines, gzip-compressed or not. A checksum beside such a file, under
        its name with ``.md5``, is verified.
    publications, rejects
        The tables to write. Citations + wanted ids without one = publications + rejects.
    metadata
        Facts for the tables' files.
    wanted
        The only ids to keep; those without a citation are rejects, other citations are passed
        over and counted. By default those of the manifest, or all.
    drop_retracted
        Whether retracted articles are rejects or kept with their mark.
    processes
        How many processes parse files side by side. Memory holds the texts that are kept.

    Raises
    ------
    InputError
        If a file is missing, damaged, truncated or of no such format, or its checksum differs.
    """
    source, files, listed = _fetched(raw) if isinstance(raw, Path) else _given(raw)
    ids = listed if wanted is None else frozenset(wanted)
    chosen = [ids if of_file is None else of_file & (ids or of_file) for of_file in files.values()]
    parsing = ordered_map(
        _parse_file, zip(files, chosen, strict=True), min(processes, len(files) // POOL_FROM)
    )
    parsed = list(tqdm(parsing, "parse files", len(files), mininterval=5, delay=5))
    table = pa.concat_tables([part for part, _ in parsed]) if parsed else _SCHEMA.empty_table()
    passed_over = sum(count for _, count in parsed)
    rows, rejected = _choose(table, ids or (), drop_retracted)
    kept = table.take(pa.array(rows, pa.int64())).select(_KEPT)
    kept = kept.append_column("licence", pa.nulls(len(kept), pa.string()))
    kept = kept.append_column("source", pa.array([source] * len(kept), pa.string()))
    told = tally(Counter(reject["reason"] for reject in rejected))
    print(f"{len(kept)} publications; rejected: {told}; not wanted: {passed_over}", file=sys.stderr)
    write_table(rejects, "rejects", rejected, metadata)
    write_table(publications, "publications", kept, metadata)


_Files = dict[Path, frozenset[str] | None]
"""Files in order, and which citations count in each; None: all."""


def _given(paths: Sequence[Path]) -> tuple[str, _Files, None]:
    if not paths:
        raise InputError("publications.paths: no file is given; name at least one")
    for path in paths:
        _check_md5(path)
    return "file", dict.fromkeys(paths), None


def _fetched(manifest: Path) -> tuple[str, _Files, frozenset[str] | None]:
    facts = read_json(manifest)
    files: _Files = {}
    try:
        for file in facts["files"]:
            path = manifest.parent / file["name"]
            if not path.is_file() or sha256_file(path) != file["sha256"]:
                raise InputError(
                    f"{path}: missing, or not the file that {manifest.name} lists; "
                    f"delete {manifest.name} and fetch again"
                )
            files[path] = frozenset(file["pubmed_ids"]) if "pubmed_ids" in file else None
        return facts["source"], files, frozenset(facts["wanted"]) if "wanted" in facts else None
    except (KeyError, TypeError):
        raise InputError(
            f"{manifest}: not a manifest of publications; delete it and run again"
        ) from None


def _check_md5(path: Path) -> None:
    beside = path.with_name(path.name + ".md5")
    if not path.is_file() or not beside.is_file():
        return
    expected = re.search(r"\b[0-9a-fA-F]{32}\b", beside.read_text(errors="replace"))
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if not expected or expected.group().lower() != found:
        raise InputError(
            f"{path}: its MD5 is {found}, but {beside.name} says "
            f"{expected.group() if expected else 'none'}; download both again"
        )


def _parse_file(item: tuple[Path, frozenset[str] | None]) -> tuple[pa.Table, int]:
    """Return the wanted citations of a file as a table, and how many were passed over."""
    path, wanted = item
    batches: list[pa.RecordBatch] = []
    rows: list[dict[str, Any]] = []
    passed_over = 0
    with _citations(path) as citations:
        progress = tqdm(citations, path.name, unit=" citations", mininterval=5, delay=5)
        for number, citation in enumerate(progress, start=1):
            if wanted is not None and citation.pubmed_id not in wanted:
                passed_over += 1
                continue
            rows.append(
                {
                    **(citation.row or {}),
                    "pubmed_id": citation.pubmed_id,
                    "version": citation.version,
                    "deleted": citation.row is None,
                    "place": f"{path.name}, record {number}",
                }
            )
            if len(rows) == _BATCH:
                batches.append(pa.RecordBatch.from_pylist(rows, schema=_SCHEMA))
                rows = []
    batches.append(pa.RecordBatch.from_pylist(rows, schema=_SCHEMA))
    return pa.Table.from_batches(batches), passed_over


@contextmanager
def _citations(path: Path) -> Iterator[Iterator[Citation]]:
    """Open a file of any of the formats; its first bytes tell which."""
    with open_text(path) as lines:
        stream = cast(Any, lines).buffer
        head = stream.peek(512).lstrip(b"\xef\xbb\xbf\r\n\t ")
        if re.match(rb"(?i)<!doctype\s+html|<html", head):
            raise InputError(
                f"{path}: this is an HTML page, not PubMed XML; "
                "look at what the address returned and download the file itself"
            )
        if head.startswith(b"<"):
            yield read_xml(stream, path)
        elif head.startswith(b"PMID-"):
            yield read_medline(lines)
        elif head.startswith(b"{"):
            yield read_json_lines(lines)
        else:
            raise InputError(
                f"{path}: {f'starts with {head[:40]!r}' if head else 'the file is empty'}; "
                "PubMed XML, PubMed's text format or JSON lines are needed"
            )


def _choose(
    table: pa.Table, wanted: Collection[str], drop_retracted: bool
) -> tuple[list[int], list[dict[str, str]]]:
    """Return the rows of the citations to keep, and rejects for all others and the absent."""
    columns = table.select(["pubmed_id", "version", "deleted", "place"]).to_pydict()
    alive: dict[str, dict[int, int]] = {}
    deleted: set[str] = set()
    rejected: dict[str, tuple[str, str]] = {}
    citations = 0
    for row, (pubmed_id, version, is_deletion, place) in enumerate(
        zip(*columns.values(), strict=True)
    ):
        versions = alive.setdefault(pubmed_id, {})
        if is_deletion:
            if (gone := versions.pop(version, None)) is not None:
                rejected[f"{pubmed_id} ({columns['place'][gone]})"] = ("deleted", f"by {place}")
            deleted.add(pubmed_id)
            continue
        citations += 1
        if not pubmed_id.isdecimal():
            rejected[place] = ("no PubMed id", pubmed_id[:80])
            continue
        if (before := versions.get(version)) is not None:
            rejected[f"{pubmed_id} ({columns['place'][before]})"] = ("superseded", f"by {place}")
        versions[version] = row
    kept = []
    absent = set(map(str, wanted))
    retracted, has_abstract = table["retracted"].to_pylist(), table["abstract"].is_valid()
    for pubmed_id, versions in alive.items():
        if not versions:
            continue
        absent.discard(pubmed_id)
        *older, newest = (versions[version] for version in sorted(versions))
        for row in older:
            place = f"by {columns['place'][newest]}"
            rejected[f"{pubmed_id} ({columns['place'][row]})"] = ("superseded", place)
        if not has_abstract[newest].as_py():
            rejected[pubmed_id] = ("no abstract", "")
        elif retracted[newest] and drop_retracted:
            rejected[pubmed_id] = ("retracted", "")
        else:
            kept.append(newest)
    for pubmed_id in absent:
        rejected[pubmed_id] = (
            ("deleted", "PubMed took the citation back")
            if pubmed_id in deleted
            else ("not found", "no file has a citation with this id")
        )
    if citations + len(absent) != len(kept) + len(rejected):
        raise RuntimeError(
            f"{citations} citations and {len(absent)} absent ids, "
            f"but {len(kept)} + {len(rejected)} came out"
        )
    return kept, [
        {"stage": STAGE, "key": key, "reason": reason, "detail": detail}
        for key, (reason, detail) in rejected.items()
    ]
