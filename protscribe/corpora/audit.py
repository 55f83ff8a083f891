"""The check that nothing of a test protein is in what a language model of residues trains on.

Like the audit of the split it trusts nothing that the corpora's makers did: it reads the finished
tables, looks up folds in the split and searches anew. Every table is optional, since a run need not
have them all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from protscribe.atomic import write_json
from protscribe.corpora.audit_knowledge import (
    audit_conversations,
    audit_sampled,
    audit_triples,
    audit_vectors,
)
from protscribe.corpora.holdout import TRAINED_ON, Holdout, is_test, refuse
from protscribe.corpora.qa.conversations import described_by
from protscribe.corpora.sequences import HOMOLOGOUS, named_after
from protscribe.homology import mmseqs
from protscribe.homology.criterion import (
    check_criterion,
    matching,
    residue_share,
    search_record,
    similar_pairs,
)
from protscribe.homology.split import VALIDATION, fold_counts
from protscribe.tables import read_table

_ID = "sequence:"


@dataclass(frozen=True)
class Corpora:
    """What there is to audit; None or empty for what a run does not have.

    Attributes
    ----------
    sequences, sequences_rejects, external
        Table ``pretraining`` of proteins, the rejects of its maker, and table ``uniref_clusters``.
        With the latter two, dropped sequences are searched as well, which makes E-values those of
        the pruning.
    literature, mentions
        Table ``pretraining`` of texts, and table ``mentions``.
    triples, sampled, vectors
        Tables ``knowledge_triples``, ``sampled_triples`` and ``knowledge_vectors``.
    conversations
        Tables ``conversations``: instructions, in one part or many.
    """

    sequences: Path | None = None
    sequences_rejects: Path | None = None
    external: Path | None = None
    literature: Path | None = None
    mentions: Path | None = None
    triples: Path | None = None
    sampled: Path | None = None
    vectors: Path | None = None
    conversations: Sequence[Path] = ()


def audit_corpora(
    proteins: Path,
    split: Path,
    corpora: Corpora,
    audit: Path,
    *,
    criterion: Mapping[str, float],
    threads: int,
) -> None:
    """Audit the corpora and write what was found.

    Parameters
    ----------
    proteins, split
        The tables.
    corpora
        The tables to audit.
    audit
        JSON file to write: the criterion; of each table given how many rows of each fold; of
        external sequences the search, hits and dropped ones that it found again; of triples how
        many edges of each fold, and how many annotations of test proteins are never trained on;
        violations (none).
    criterion
        ``min_identity`` (of the alignment), ``min_coverage`` (of the held-out protein) and
        ``max_evalue``, those of the split.
    threads
        CPU threads; no influence on the result.

    Raises
    ------
    InputError
        If what is trained on, or chosen by, holds the accession, the identical sequence or an
        edge of a test protein; if an external sequence meets the criterion against a test or
        validation protein; if a publication of the literature is tied to a test protein; if a
        text or sequence stands on two sides (training and validation, or these and test); or if a
        table disagrees with the split. The audit file is then not written.
    """
    check_criterion(criterion)
    holdout = Holdout.read(proteins, split)
    found: dict[str, Any] = {}
    if corpora.sequences is not None:
        found["sequences"] = _sequences(corpora, holdout, criterion, threads)
    if corpora.literature is not None:
        found["literature"] = _literature(corpora.literature, corpora.mentions, holdout)
    if corpora.triples is not None:
        found["triples"] = audit_triples(corpora.triples, holdout)
    if corpora.sampled is not None:
        found["sampled_triples"] = audit_sampled(corpora.sampled, corpora.triples, holdout)
    if corpora.vectors is not None:
        found["vectors"] = audit_vectors(corpora.vectors, holdout)
    found["conversations"] = {
        path.stem: audit_conversations(path, holdout) for path in corpora.conversations
    }
    write_json(audit, {"criterion": dict(criterion), "corpora": found, "violations": []})


def _sequences(
    corpora: Corpora, holdout: Holdout, criterion: Mapping[str, float], threads: int
) -> dict[str, Any]:
    assert corpora.sequences is not None
    path = corpora.sequences
    table = _pretraining(path, "sequence", holdout)
    rows = table.to_pylist()
    if same := [
        f"{row['id']} has the sequence of {holdout.test_sequences[row['sequence']]}"
        for row in rows
        if row["sequence"] in holdout.test_sequences
    ]:
        refuse(path, f"{len(same)} sequences are those of a test protein", same)
    external: dict[str, str] = {}
    for row in rows:
        if row["accession"] is None:
            external[row["id"].removeprefix(_ID)] = row["sequence"]
        elif row["sequence"] != holdout.sequence_of[row["accession"]]:
            refuse(path, "rows with another sequence than the protein's", [row["id"]])
    if named := [
        f"{cluster} ({holdout.fold_of[name]})"
        for cluster in external
        if (name := named_after(cluster)) and is_test(holdout.fold_of.get(name))
    ]:
        refuse(path, f"{len(named)} external sequences are named after a test protein", named)
    sources = sorted({row["source"] for row in rows})
    return {
        "rows": fold_counts(table),
        "sources": {name: sum(row["source"] == name for row in rows) for name in sources},
        "external": _search(corpora, external, holdout, criterion, threads),
    }


def _search(
    corpora: Corpora,
    external: Mapping[str, str],
    holdout: Holdout,
    criterion: Mapping[str, float],
    threads: int,
) -> dict[str, Any] | None:
    """Search external sequences against all that is held out, and refuse one that matches."""
    held_out = {
        accession: holdout.sequence_of[accession]
        for accession, fold in holdout.fold_of.items()
        if is_test(fold) or fold == VALIDATION
    }
    dropped = _dropped(corpora)
    if not held_out or not (external or dropped):
        return None
    assert corpora.sequences is not None
    others = {**external, **dropped}
    share = residue_share(others, dropped)
    limit = criterion["max_evalue"] / share if share else criterion["max_evalue"]
    pairs = similar_pairs(held_out, others, max_evalue=limit, threads=threads)
    matched = matching(pairs, criterion, share)
    again = pc.is_in(matched["other"], pa.array(sorted(dropped), pa.string()))
    if leaks := {
        hit["other"]: f"{hit['other']} has {hit['identity']:.3f} identity over "
        f"{hit['coverage']:.3f} of {hit['test']} ({holdout.fold_of[hit['test']]}) at E "
        f"{hit['evalue']:.1e}"
        for hit in reversed(matched.filter(pc.invert(again)).to_pylist())
    }:
        what = f"{len(leaks)} external sequences meet the homology criterion"
        refuse(corpora.sequences, what, [leaks[name] for name in sorted(leaks)])
    return {
        "sequences": len(external),
        "mmseqs2_version": mmseqs.version(),
        "runs": search_record(len(held_out), len(others), limit),
        "share_of_residues_left": share,
        "dropped": len(dropped),
        "dropped_found_again": len(matched.filter(again)["other"].unique()),
        "hits_short_of_the_criterion": pairs.num_rows - matched.num_rows,
    }


def _dropped(corpora: Corpora) -> dict[str, str]:
    """Return the external sequences that the pruning dropped."""
    if corpora.sequences_rejects is None or corpora.external is None:
        return {}
    rejects = read_table(corpora.sequences_rejects, "rejects", ["key", "reason"])
    keys = rejects.filter(pc.equal(rejects["reason"], HOMOLOGOUS))["key"]
    clusters = read_table(corpora.external, "uniref_clusters", ["cluster", "sequence"])
    chosen = clusters.filter(pc.is_in(clusters["cluster"], keys.combine_chunks())).to_pydict()
    return dict(zip(chosen["cluster"], chosen["sequence"], strict=True))


def _literature(path: Path, mentions: Path | None, holdout: Holdout) -> dict[str, Any]:
    table = _pretraining(path, "text", holdout)
    about = _publications_of_tests(mentions, holdout)
    texts = holdout.test_texts()
    rows = table.to_pylist()
    if tied := [
        f"{row['id']} ({row['fold']}) is from PubMed {row['pubmed_id']}, which is tied to "
        f"{about[row['pubmed_id']]} ({holdout.fold_of[about[row['pubmed_id']]]})"
        for row in rows
        if row["pubmed_id"] in about
    ]:
        refuse(path, f"{len(tied)} texts are from publications tied to a test protein", tied)
    if same := [
        f"{row['id']} is the statement of {texts[text]} ({holdout.fold_of[texts[text]]})"
        for row in rows
        if (text := " ".join(row["text"].split())) in texts
    ]:
        refuse(path, f"{len(same)} texts are those of a test protein", same)
    return {
        "rows": fold_counts(table),
        "publications": len({row["pubmed_id"] for row in rows if row["pubmed_id"]}),
        "publications_tied_to_tests": len(about),
        "statements": sum(row["pubmed_id"] is None for row in rows),
    }


def _publications_of_tests(mentions: Path | None, holdout: Holdout) -> dict[str, str]:
    """Return the publications tied to a test protein, with the first such protein."""
    columns = ["accession", "references", "function_evidence"]
    table = holdout.of_tests(read_table(holdout.proteins, "proteins", columns))
    facts = {row["accession"]: row for row in table.to_pylist()}
    about = described_by([], facts, holdout.fold_of)
    if mentions is not None:
        pairs = holdout.of_tests(read_table(mentions, "mentions", ["accession", "pubmed_id"]))
        for row in pairs.sort_by("accession").to_pylist():
            about.setdefault(row["pubmed_id"], row["accession"])
    return about


def _pretraining(path: Path, column: str, holdout: Holdout) -> pa.Table:
    """Read a pretraining table and check folds, accessions and that nothing stands twice."""
    table = read_table(path, "pretraining")
    if table[column].null_count:
        bad = table.filter(pc.is_null(table[column]))["id"].to_pylist()
        refuse(path, f"rows without {column}", bad)
    astray = pc.invert(pc.is_in(table["fold"], pa.array(TRAINED_ON)))
    if bad := table.filter(astray)["id"].to_pylist():
        refuse(path, f"{len(bad)} rows are of no fold that is trained on", bad)
    own = table.filter(pc.is_valid(table["accession"]))
    # Whether a sequence is that of a test protein is asked of all sequences, own or not.
    holdout.trained_on(path, own, "rows", with_sequence=False)
    wrong = pc.not_equal(own["fold"], holdout.folds(path, own["accession"]))
    if bad := own.filter(wrong)["id"].to_pylist():
        refuse(path, f"{len(bad)} rows are of another fold than their protein", bad)
    counts = table.group_by(column).aggregate([("fold", "count_distinct")])
    both = counts.filter(pc.greater(counts["fold_count_distinct"], 1))[column]
    if bad := table.filter(pc.is_in(table[column], both.combine_chunks()))["id"].to_pylist():
        refuse(path, f"{len(both)} {column}s stand in training and in validation", bad)
    return table
