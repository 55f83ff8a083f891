"""Questions and answers in the LLaVA JSON convention, as the Protein2Text authors publish theirs.

A file is a JSON array of records with ``long_format_id`` (unique), ``id`` (UniProt accession),
``protein`` (its name), ``pmc_id`` (a list), ``amino_seq`` and ``conversations``, a list of
``{"from": "human" | "gpt", "value"}`` turns; the protein stands as ``<protein_sequence>`` in the
first human turn. What is written here has a few keys more, which readers of the format skip.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from protscribe.atomic import atomic_path, sha256_file
from protscribe.errors import InputError
from protscribe.prompts import PROTEIN_MARKER
from protscribe.sources.formats import json_records
from protscribe.sources.formats.record import Reject
from protscribe.sources.text_files import open_bytes
from protscribe.tables import read_metadata, read_table, write_table

STAGE = "import_qa"
WRITER = "imported"
"""The writer of pairs that came from a file, whoever wrote them."""

CONTEXT = "imported"

_SPEAKERS = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant"}
_NEEDED: dict[str, type] = {"long_format_id": str, "id": str, "amino_seq": str}
_PUBMED_ID = re.compile(r"\d{1,9}")
_PIECE = 2**24


def write_conversations(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write records as a JSON array, one a line in the order and with the keys as they come.

    Equal records give equal bytes. The file is written as the records come, so that they need not
    fit into memory.
    """
    with atomic_path(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        before = "[\n"
        for record in records:
            file.write(before + json.dumps(record, ensure_ascii=False))
            before = ",\n"
        file.write("\n]\n" if before == ",\n" else "[]\n")


def export_record(
    pair: Mapping[str, Any],
    protein: Mapping[str, Any],
    *,
    number: int,
    fold: str,
    pmcid: str | None,
    with_span: bool,
    answered_blind: bool | None,
) -> dict[str, Any]:
    """Return a pair as a record of the convention.

    Parameters
    ----------
    pair
        The row of table ``qa_pairs``.
    protein
        Its row of table ``proteins``: accession, protein_name and sequence.
    number
        Number of the pair within its protein, for ``long_format_id``.
    fold
        The protein's fold.
    pmcid
        The number in PubMed Central of the publication behind the pair. The authors list all
        publications of the protein instead.
    with_span
        Whether the licence allows the evidence's text; its offsets always stand there.
    answered_blind
        The pair's flag; None if it was not scored.
    """
    evidence = None
    if pair["span_start"] is not None or pair["pubmed_id"]:
        evidence = {
            "context": pair["context"],
            "pubmed_id": pair["pubmed_id"],
            "licence": pair["licence"],
            "start": pair["span_start"],
            "end": pair["span_end"],
            "span": pair["evidence_span"] if with_span else None,
        }
    return {
        "long_format_id": f"{protein['accession']}_{number}",
        "id": protein["accession"],
        "protein": protein["protein_name"],
        "pmc_id": [pmcid] if pmcid else [],
        "amino_seq": protein["sequence"],
        "conversations": [
            {"from": "human", "value": f"{PROTEIN_MARKER}\n{pair['question']}"},
            {"from": "gpt", "value": pair["answer"]},
        ],
        "fold": fold,
        "category": pair["category"],
        "evidence": evidence,
        "writer": pair["writer"],
        "writer_revision": pair["writer_revision"],
        "prompt_hash": pair["prompt_hash"],
        "seed": pair["seed"],
        "answered_blind": answered_blind,
    }


def read_conversations(path: Path) -> Iterator[dict[str, Any] | Reject]:
    """Read the records of a file: a JSON array or one record a line, plain or gzip-compressed.

    Yields
    ------
    dict or Reject
        Each record as it is, or why it is none.

    Raises
    ------
    InputError
        If the file is missing, is not JSON or ends in the middle; names the file and, in an
        array, the record.
    """
    with open_bytes(path) as file:
        for piece in json_records.cut(file, path, _PIECE):
            for line in piece.splitlines():
                if line.strip():
                    try:
                        yield json_records.load(line)
                    except Reject as reject:
                        yield reject


def import_qa(files: Sequence[Path], proteins: Path, output: Path, rejects: Path) -> None:
    """Read question and answer pairs from LLaVA-style files.

    Each question of a conversation with its answer becomes a pair of its own. The files say
    nothing of where in a text an answer stands, so pairs have no evidence span; of files that this
    project wrote, the PubMed id is kept, so that the split stays bound to it. Spans and
    writers are not: a file can claim anything.

    Parameters
    ----------
    files
        The files, see `read_conversations`.
    proteins
        The proteins table. A record counts if its protein is in it with the same sequence.
    output
        Table ``qa_pairs`` to write, with writer ``imported`` and the SHA-256 of the file as the
        writer's revision.
    rejects
        The table to write; keys are the file's name and the record's number. Records =
        conversations in `output` + rejects.

    Raises
    ------
    InputError
        If a file cannot be read, two have the same name, or no record at all can be used.
    """
    if len({path.name for path in files}) < len(files):
        raise InputError(f"qa.files: two files have the same name: {', '.join(map(str, files))}")
    columns = ["accession", "sequence"]
    sequences = dict(
        zip(*read_table(proteins, "proteins", columns).to_pydict().values(), strict=True)
    )
    rows: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []
    seen: set[str] = set()
    records = 0
    for path in files:
        checksum = sha256_file(path) if path.is_file() else None
        for number, record in enumerate(read_conversations(path), start=1):
            records += 1
            try:
                if isinstance(record, Reject):
                    raise record
                rows += _pairs(record, sequences, seen, checksum)
            except Reject as reject:
                key = f"{path.name}#{number}"
                rejected.append(
                    {"stage": STAGE, "key": key, "reason": reject.reason, "detail": reject.detail}
                )
    if not rows:
        why = (
            f"the first: {rejected[0]['key']}: {rejected[0]['reason']}" if rejected else "no record"
        )
        raise InputError(
            f"{', '.join(map(str, files))}: holds no conversation that can be used ({why}); "
            "records need long_format_id, id, amino_seq and conversations, of proteins in the table"
        )
    facts = read_metadata(proteins)
    write_table(output, "qa_pairs", rows, facts)
    write_table(rejects, "rejects", rejected, facts)
    counts = Counter(row["reason"] for row in rejected)
    left_out = "".join(f"; {count} {reason}" for reason, count in sorted(counts.items()))
    print(f"{len(rows)} pairs from {records} records{left_out}", file=sys.stderr)


def exchanges(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the questions of a record, without the protein's token, with their answers.

    Raises
    ------
    Reject
        If the turns are not what the convention asks for.
    """
    turns = _turns(record)
    if len(turns) % 2 or not turns:
        raise Reject("odd number of turns", f"{len(turns)} turns")
    speakers = [_SPEAKERS.get(speaker, speaker) for speaker, _ in turns]
    if speakers != ["user", "assistant"] * (len(turns) // 2):
        raise Reject("roles do not alternate", " ".join(speaker for speaker, _ in turns))
    tokens = [text.count(PROTEIN_MARKER) for _, text in turns]
    if sum(tokens) == 0:
        raise Reject("no protein token", f"{PROTEIN_MARKER} stands nowhere")
    if sum(tokens) > 1:
        raise Reject("two protein tokens", f"{PROTEIN_MARKER} stands {sum(tokens)} times")
    if not tokens[0]:
        raise Reject(
            "protein token not in the first turn", f"it stands in turn {tokens.index(1) + 1}"
        )
    texts = [text.replace(PROTEIN_MARKER, "").strip() for _, text in turns]
    if "" in texts:
        raise Reject("empty value", f"turn {texts.index('') + 1} says nothing")
    return list(zip(texts[::2], texts[1::2], strict=True))


def _pairs(
    record: Mapping[str, Any],
    sequences: Mapping[str, str],
    seen: set[str],
    revision: str | None,
) -> list[dict[str, Any]]:
    if missing := [key for key in (*_NEEDED, "conversations") if key not in record]:
        raise Reject("missing key", ", ".join(missing))
    for key, kind in _NEEDED.items():
        if not isinstance(record[key], kind) or not record[key].strip():
            raise Reject("broken value", f"{key} is {record[key]!r:.60}")
    name, accession = record["long_format_id"], record["id"]
    found = exchanges(record)
    _check_letters([name, accession, *(text for pair in found for text in pair)])
    if accession not in sequences:
        raise Reject("unknown accession", f"{name}: {accession} is not in the proteins table")
    given = "".join(record["amino_seq"].split()).upper()
    if given != sequences[accession]:
        raise Reject(
            "sequence differs",
            f"{name}: {len(given)} residues here, {len(sequences[accession])} in the proteins "
            f"table under {accession}",
        )
    if name in seen:
        raise Reject("long_format_id stands twice", name)
    seen.add(name)
    pubmed_id, licence = _publication(record.get("evidence"))
    return [
        {
            "id": f"{name}:{WRITER}:{number}",
            "accession": accession,
            "context_id": name,
            "context": CONTEXT,
            "category": None,
            "question": question,
            "answer": answer,
            "evidence_span": None,
            "span_start": None,
            "span_end": None,
            "pubmed_id": pubmed_id,
            "licence": licence,
            "writer": WRITER,
            "writer_revision": revision,
            "prompt_hash": None,
            "seed": None,
        }
        for number, (question, answer) in enumerate(found, start=1)
    ]


def _turns(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    turns = record["conversations"]
    if not isinstance(turns, list):
        raise Reject("broken value", f"conversations is {turns!r:.60}")
    for number, turn in enumerate(turns, start=1):
        if not isinstance(turn, Mapping) or not {"from", "value"} <= set(turn):
            raise Reject("missing key", f"turn {number} needs from and value: {turn!r:.60}")
        if not isinstance(turn["from"], str) or not isinstance(turn["value"], str):
            raise Reject("broken value", f"turn {number} is {turn!r:.60}")
    return [(turn["from"], turn["value"]) for turn in turns]


def _check_letters(texts: Collection[str]) -> None:
    """Check that texts can be written: JSON can spell half of a letter outside the basic plane."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise Reject("broken value", f"half a letter: {text[error.start]!r}") from None


def _publication(evidence: Any) -> tuple[str | None, str | None]:
    """Return PubMed id and licence from what `export_record` writes."""
    if not isinstance(evidence, Mapping):
        return None, None
    pubmed_id, licence = evidence.get("pubmed_id"), evidence.get("licence")
    known = isinstance(pubmed_id, str) and _PUBMED_ID.fullmatch(pubmed_id)
    return (pubmed_id if known else None), (licence if isinstance(licence, str) else None)
