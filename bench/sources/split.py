"""Seconds and memory of the split of all of Swiss-Prot, and what pruning costs.

Run as

    python -m bench.sources.split WORK [--sample N] [--threads 2] [--step NAME]

Downloads Debian's ``metastudent-data`` (225 MB, GPL-2+) into the folder WORK, reads the 516,371
distinct sequences of Swiss-Prot 2014_01 from its BLAST databases, and clusters, assigns, prunes and
audits them with the settings of ``config/prot2text_v2.yaml``. Function texts, references and the
conversations are made up. Each step runs in a process of its own, as a rule does, and WORK keeps
its tables, so that ``--step`` can repeat one.

Wall seconds depend on what else the machine does; CPU seconds of MMseqs2 do so far less. Memory is
the largest sum over the step's processes, sampled, of resident pages (``RSS``, which counts a
page of a mapped file once for each process) and of pages without mapped files.
"""

import argparse
import hashlib
import json
import random
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import yaml

from protscribe.homology.audit import audit_split
from protscribe.homology.split import assign_folds, cluster_proteins, fold_counts, prune_train
from protscribe.schemas import TABLES
from protscribe.sources.debian import download_packages, unpacked
from protscribe.tables import read_table, write_table

PACKAGE = "metastudent-data"
DISTINCT = 516_371
SETTINGS = Path(__file__).parents[2] / "config" / "prot2text_v2.yaml"
STEPS = ("cluster", "assign", "prune", "audit")
# The residues of BLAST's protein databases, by number (NCBIstdaa).
RESIDUES = b"-ABCDEFGHIKLMNPQRSTVWXYZU*OJ"
SAMPLE_SECONDS = 0.25


def read_blast(index: bytes, headers: bytes, residues: bytes) -> Iterator[tuple[str, str]]:
    """Yield the title and sequence of each entry of a BLAST protein database, version 4.

    Parameters
    ----------
    index, headers, residues
        The contents of its ``.pin``, ``.phr`` and ``.psq`` files.
    """

    def number(at: int) -> int:
        return int.from_bytes(index[at : at + 4], "big")

    if (number(0), number(4)) != (4, 1):
        raise ValueError("not the index of a BLAST protein database of version 4")
    at = 12 + number(8)  # past the database's title
    at += 4 + number(at)  # past its date
    count = number(at)
    at += 16  # number of entries, of residues (8 bytes), length of the longest
    letters = bytes.maketrans(bytes(range(len(RESIDUES))), RESIDUES)
    for i in range(count):
        header = headers[number(at + 4 * i) : number(at + 4 * i + 4)]
        # ASN.1: the title is the first VisibleString (tag 0x1A).
        start = header.index(b"\x1a") + 1
        size, start = header[start], start + 1
        if size & 0x80:
            start, more = start + (size & 0x7F), header[start : start + (size & 0x7F)]
            size = int.from_bytes(more, "big")
        first = at + 4 * (count + 1) + 4 * i
        # A zero byte stands before each sequence and after the last one.
        sequence = residues[number(first) : number(first + 4) - 1].translate(letters)
        yield header[start : start + size].decode("ascii"), sequence.decode("ascii")


def read_package(work: Path) -> dict[str, str]:
    """Download the package into a folder; return accession to sequence, of its databases' union."""
    work = work.resolve()
    debs, reason = download_packages([PACKAGE], work)
    if PACKAGE not in debs:
        raise SystemExit(f"{PACKAGE} could not be downloaded: {reason}")
    found: dict[str, str] = {}
    with unpacked(debs[PACKAGE], work) as (_, folder):
        for index in sorted(folder.rglob("*.pin")):
            suffixes = (".pin", ".phr", ".psq")
            parts = [index.with_suffix(suffix).read_bytes() for suffix in suffixes]
            for title, sequence in read_blast(*parts):
                found[title.partition("|")[0]] = sequence
    if len(found) != DISTINCT:
        raise SystemExit(f"{PACKAGE} holds {len(found)} proteins, {DISTINCT} were expected")
    return found


def write_proteins(path: Path, sequences: dict[str, str]) -> None:
    """Write a proteins table with made-up texts and references, and no dates."""
    names = sorted(sequences)
    texts = [f"Does what {name} does." for name in names]
    columns = {
        "accession": names,
        "sequence": [sequences[name] for name in names],
        "length": [len(sequences[name]) for name in names],
        "function": texts,
        "references": [[{"pubmed_id": name, "scope": "FUNCTION"}] for name in names],
        "text_hash": [hashlib.sha256(text.encode()).hexdigest() for text in texts],
        "sequence_hash": [hashlib.sha256(sequences[n].encode()).hexdigest() for n in names],
    }
    write_columns(path, "proteins", columns)


def write_conversations(path: Path, split: pa.Table) -> None:
    """Write one made-up conversation for each protein with a fold."""
    placed = split.filter(split["fold"].is_valid())
    names = placed["accession"].to_pylist()
    columns = {
        "id": names,
        "accession": names,
        "corpus": ["descriptions"] * len(names),
        "fold": placed["fold"].to_pylist(),
        "turns": [[{"role": "assistant", "content": f"Does what {n} does."}] for n in names],
    }
    write_columns(path, "conversations", columns)


def write_columns(path: Path, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write a table of which only some columns have values."""
    schema = TABLES[name].schema
    rows = len(next(iter(columns.values())))
    arrays = [
        pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.nulls(rows, field.type)
        for field in schema
    ]
    write_table(path, name, pa.Table.from_arrays(arrays, names=schema.names))


class Sampler(threading.Thread):
    """Samples the memory of this process and its children, and whether MMseqs2 runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.rss = self.private = 0
        self.searching = 0.0
        self._ended = threading.Event()

    def run(self) -> None:
        """Sample until `stop` is called."""
        this = psutil.Process()
        before = time.perf_counter()
        while not self._ended.wait(SAMPLE_SECONDS):
            rss = private = 0
            # All children of a step are MMseqs2 and the shells that it starts itself.
            children = this.children(recursive=True)
            for process in [this, *children]:
                try:
                    memory = process.memory_info()
                except psutil.NoSuchProcess:
                    continue
                rss += memory.rss
                private += memory.rss - memory.shared
            self.rss, self.private = max(self.rss, rss), max(self.private, private)
            now = time.perf_counter()
            self.searching += (now - before) if children else 0.0
            before = now

    def stop(self) -> None:
        """End the sampling."""
        self._ended.set()
        self.join()


def run_step(name: str, work: Path, threads: int) -> dict[str, Any]:
    """Run one step in this process; return what it took and what came out."""
    settings = yaml.safe_load(SETTINGS.read_text())["split"]
    proteins, clusters = work / "proteins.parquet", work / "clusters.parquet"
    folds, split = work / "folds.parquet", work / "split.parquet"
    conversations, audit = work / "conversations.parquet", work / "audit.json"
    criterion = settings["criterion"]
    if name == "audit":
        write_conversations(conversations, read_table(split, "split"))
    steps: dict[str, Callable[[], None]] = {
        "cluster": lambda: cluster_proteins(
            proteins, clusters, **settings["cluster"], threads=threads
        ),
        "assign": lambda: assign_folds(
            proteins,
            clusters,
            folds,
            fractions=settings["fractions"],
            temporal_after=None,
            minimum=settings["minimum"],
            seed=0,
        ),
        "prune": lambda: prune_train(proteins, folds, split, criterion=criterion, threads=threads),
        "audit": lambda: audit_split(
            proteins, split, [conversations], audit, criterion=criterion, threads=threads
        ),
    }
    sampler = Sampler()
    sampler.start()
    start, own = time.perf_counter(), time.process_time()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    steps[name]()
    seconds, own = time.perf_counter() - start, time.process_time() - own
    sampler.stop()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = children.ru_utime + children.ru_stime - used.ru_utime - used.ru_stime
    facts: dict[str, Any] = {}
    if name == "cluster":
        named = read_table(clusters, "clusters")["cluster"]
        facts = {"proteins": len(named), "clusters": len(named.unique())}
    elif name == "assign":
        facts = fold_counts(read_table(folds, "folds"))
    elif name == "prune":
        placed = read_table(split, "split")
        facts = {"dropped": placed["fold"].null_count, **fold_counts(placed)}
    elif name == "audit":
        found = json.loads(audit.read_text())
        facts = {"violations": len(found["violations"]), "dropped": found["dropped"]}
        facts |= {"hits": found["search"]["hits_up_to_loose_evalue"]}
        facts |= {"closest": found["search"]["closest"][:1]}
    return {
        "step": name,
        "seconds": seconds,
        "in_mmseqs": sampler.searching,
        "mmseqs_cpu": cpu,
        "python_cpu": own,
        "rss": sampler.rss / 2**20,
        "private": sampler.private / 2**20,
        "facts": facts,
    }


def main() -> None:
    """Make the tables, run the steps and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, help="folder for the package and the tables")
    parser.add_argument("--sample", type=int, help="so many sequences, drawn with a fixed seed")
    parser.add_argument("--threads", type=int, default=2, help="threads of MMseqs2")
    parser.add_argument(
        "--step", choices=STEPS, help="this step alone, on the tables in the folder"
    )
    options = parser.parse_args()
    work = options.work
    if options.step:
        print(json.dumps(run_step(options.step, work, options.threads)))
        return
    work.mkdir(parents=True, exist_ok=True)
    sequences = read_package(work)
    if options.sample:
        names = random.Random(0).sample(sorted(sequences), options.sample)
        sequences = {name: sequences[name] for name in names}
    write_proteins(work / "proteins.parquet", sequences)
    print(f"{len(sequences)} proteins, {sum(map(len, sequences.values()))} residues", flush=True)
    del sequences
    print("| step | seconds | in MMseqs2 | CPU s MMseqs2 | CPU s Python | RSS MB | private MB |")
    print("|---|---|---|---|---|---|---|", flush=True)
    found: list[dict[str, Any]] = []
    for name in STEPS:
        command = [sys.executable, "-m", "bench.sources.split", str(work), "--step", name]
        command += ["--threads", str(options.threads)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        step = json.loads(done.stdout.splitlines()[-1])
        found.append(step)
        numbers = [step[key] for key in ("seconds", "in_mmseqs", "mmseqs_cpu", "python_cpu")]
        numbers += [step["rss"], step["private"]]
        print(f"| {name} | {' | '.join(f'{n:.0f}' for n in numbers)} |", flush=True)
    total = {key: sum(step[key] for step in found) for key in ("seconds", "in_mmseqs")}
    share = total["in_mmseqs"] / total["seconds"]
    print(f"{total['seconds'] / 60:.1f} minutes, {share:.1%} in MMseqs2")
    print(f"peak memory {max(step['rss'] for step in found):.0f} MB")
    for step in found:
        print(f"{step['step']}: {json.dumps(step['facts'])}")


if __name__ == "__main__":
    main()
