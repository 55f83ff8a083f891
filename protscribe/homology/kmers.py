"""Searches that are too large to align every pair: MMseqs2's k-mer stage chooses what to align."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from protscribe.homology import mmseqs

BOTH_WAYS = (
    *("-s", "8"),
    *("--min-ungapped-score", "40"),
    *("--max-seqs", str(mmseqs.NO_LIMIT)),
    *("--mask", "0"),
    # By default a machine with little memory searches in parts, and each part loses other pairs.
    *("--split", "1"),
)
"""Flags of the k-mer stage of `search_both_ways`.

Of all pairs between 250 and 18,000 proteins of Swiss-Prot, 916 have 30% identity over half of
the query at an E-value up to 0.001 in either direction. Two searches at ``-s 7.5``, the highest
value that MMseqs2 documents, one in each direction, miss 32 of them; this one misses 26, and one
at ``-s 9`` 18. Asking for a score of 40 instead of 15 in a stretch without gaps costs 4 of them and
leaves an eighth of the pairs to align.
"""
FIRST_EVALUE = 100.0
"""Largest E-value against the targets of pairs that are aligned the other way round as well.

Scores differ by direction, being corrected for the composition of one side alone, and E-values
by the size of the searched side. Of 2,918 pairs that met 0.001 the other way round, the largest
E-value against 18,000 targets was 0.34.
"""
NEAREST = ("-s", "5.7", "--max-seqs", "300", "--split", "1")
"""Flags of the k-mer stage of `search_nearest`: near ones need no more."""
NEAREST_KEPT = 20
"""Best targets of a query that `search_nearest` reports."""


def search_flags(max_evalue: float) -> list[str]:
    """Return the flags of `search_both_ways`, as they go into an audit's record."""
    return [*BOTH_WAYS, "-e", f"{max_evalue:g}", *mmseqs.ALIGNMENT]


def search_both_ways(
    queries: Mapping[str, str], targets: Mapping[str, str], *, max_evalue: float, threads: int
) -> tuple[pa.Table, pa.Table]:
    """Search few proteins against many, and align what is found in both directions.

    The k-mer stage makes similar k-mers for its queries alone, so that the other direction costs
    many times as much; it would find few pairs more. Identical sequences are searched once.

    Parameters
    ----------
    queries, targets
        Accession to sequence. Time goes with the number of queries.
    max_evalue
        Largest E-value of a hit, relative to the distinct sequences of the searched side.
    threads
        CPU threads; no influence on the result.

    Returns
    -------
    tuple of pyarrow.Table
        Hits of queries among targets, and of targets among queries, like `mmseqs.search`.

    Raises
    ------
    InputError, RuntimeError
        As in `mmseqs.search`.
    """
    with tempfile.TemporaryDirectory(prefix="mmseqs-") as name:
        at = _Databases(Path(name), threads, queries=queries, targets=targets)
        at.run("prefilter", "queries", "targets", "candidates", flags=BOTH_WAYS)
        # Scores alone, which is cheap, tell which pairs deserve the rest.
        scores = ["-e", f"{FIRST_EVALUE:g}", "--alignment-mode", "1"]
        at.run("align", "queries", "targets", "candidates", "first", flags=scores)
        at.run("swapresults", "queries", "targets", "first", "swapped", flags=["-e", "1e300"])
        full = ["-e", f"{max_evalue:g}", *mmseqs.ALIGNMENT]
        at.run("align", "queries", "targets", "first", "forward", flags=full)
        at.run("align", "targets", "queries", "swapped", "backward", flags=full)
        return at.hits("queries", "targets", "forward"), at.hits("targets", "queries", "backward")


def search_nearest(
    queries: Mapping[str, str], targets: Mapping[str, str], *, max_evalue: float, threads: int
) -> pa.Table:
    """Return the best few hits of each query, by bit score.

    Parameters and errors are those of `search_both_ways`; the table is that of `mmseqs.search`.
    """
    with tempfile.TemporaryDirectory(prefix="mmseqs-") as name:
        at = _Databases(Path(name), threads, queries=queries, targets=targets)
        at.run("prefilter", "queries", "targets", "candidates", flags=NEAREST)
        evalue = ["-e", f"{max_evalue:g}"]
        scores = [*evalue, "--alignment-mode", "1"]
        at.run("align", "queries", "targets", "candidates", "first", flags=scores)
        # They come best first.
        at.run("filterdb", "first", "best", flags=["--extract-lines", str(NEAREST_KEPT)])
        at.run("align", "queries", "targets", "best", "full", flags=[*evalue, *mmseqs.ALIGNMENT])
        return at.hits("queries", "targets", "full")


class _Databases:
    """MMseqs2's databases in a folder: distinct sequences of each set, and results."""

    def __init__(self, folder: Path, threads: int, **sets: Mapping[str, str]) -> None:
        self._folder, self._threads = folder, threads
        self._groups: dict[str, list[list[str]]] = {}
        for name, sequences in sets.items():
            groups: dict[str, list[str]] = {}
            for accession in sorted(sequences):
                groups.setdefault(sequences[accession], []).append(accession)
            self._groups[name] = list(groups.values())
            fasta = folder / f"{name}.fasta"
            mmseqs.write_fasta(fasta, list(groups))
            mmseqs.run("createdb", str(fasta), str(folder / name), "-v", "2")
            fasta.unlink()

    def run(self, module: str, *databases: str, flags: Sequence[str]) -> None:
        """Run a module on databases of this folder, the last one new."""
        files = [str(self._folder / name) for name in databases]
        mmseqs.run(module, *files, *flags, "--threads", str(self._threads), "-v", "2")

    def hits(self, queries: str, targets: str, result: str) -> pa.Table:
        """Return a database of alignments as a table."""
        columns = ["--format-output", mmseqs.OUTPUT]
        self.run("convertalis", queries, targets, result, "hits", flags=columns)
        path = self._folder / "hits"
        sides = {"query": self._groups[queries], "target": self._groups[targets]}
        table = mmseqs.read_hits(path, *([group[0] for group in side] for side in sides.values()))
        path.unlink()
        for column, groups in sides.items():
            firsts = [group[0] for group in groups for _ in group]
            members = [accession for group in groups for accession in group]
            names = pa.table({column: firsts, "member": members})
            table = table.join(names, column, join_type="inner").drop_columns(column)
            table = table.rename_columns({"member": column})
        return table.select(mmseqs.HIT_SCHEMA.names).sort_by(mmseqs.HIT_ORDER)
