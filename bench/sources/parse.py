"""Seconds and memory from a flat file on a server to the proteins table, at the size of Swiss-Prot.

Run as

    python -m bench.sources.parse [--entries 570000] [--processes 2] [--packaged FILE]

The file is made by repeating the packaged entries, each copy under an accession of its own and
with a sequence of its own (some residues of the original exchanged, its length kept), compressed
with gzip. It is then served from this machine, downloaded through the project's client, checked
against its MD5 and parsed. Entries per second are compared with what most published code does: one
process, ``for record in SwissProt.parse(handle)`` and no table at all, over the first entries of
the same file, half of them before and half after, so that a drift of the machine's speed hits both.
Peak memory is the sum of resident memory of all processes, twice a second.
"""

import argparse
import gzip
import hashlib
import itertools
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
from Bio import SwissProt

from protscribe.sources.client import Client
from protscribe.sources.entries import parse_entries
from protscribe.sources.formats.flatfile import split_entries
from protscribe.sources.http.network import Network
from protscribe.sources.packaged import collect_entries

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
FILTERS: dict[str, Any] = {
    "min_length": 30,
    "max_length": None,
    "fragments": "keep",
    "reviewed": "any",
    "function_evidence": [],
}
NAME = "uniprot_sprot.dat.gz"
PACKAGED = Path("resources/packaged/swissprot.dat")


def copies(packaged: Path, entries: int) -> Iterator[str]:
    """Yield so many entries: copies of the packaged ones, each with its own key and sequence."""
    rng = random.Random(0)
    originals = []
    for entry in split_entries(packaged.read_text(encoding="ascii"), packaged):
        top, _, rest = entry.partition("\nAC   ")
        rest = re.sub(r"^.*\n(?:AC   .*\n)*", "", rest)
        head, _, residues = rest.rpartition(" CRC64;\n")
        if not head:
            head, _, residues = rest.rpartition(" CRC32;\n")
        originals.append((top, f"{head} CRC64;\n", residues.removesuffix("\n//\n")))
    for number, (top, head, residues) in enumerate(itertools.cycle(originals)):
        if number == entries:
            return
        letters = list(residues)
        for at in rng.choices(range(len(letters)), k=len(letters) // 20):
            if letters[at].isalpha():
                letters[at] = rng.choice(RESIDUES)
        yield f"{top}\nAC   B{number:06d};\n{head}{''.join(letters)}\n//\n"


def make_file(packaged: Path, entries: int, target: Path) -> str:
    """Write the flat file; return its MD5."""
    with gzip.open(target, "wt", compresslevel=1, encoding="ascii") as out:
        out.writelines(copies(packaged, entries))
    with target.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder from this machine; yield its address."""
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            words = server.stdout.readline().split() if server.stdout else []
            yield f"http://127.0.0.1:{words[words.index('port') + 1]}"
        finally:
            server.terminate()


def plain_loop(file: Path, skip: int, entries: int) -> float:
    """Return seconds of a plain Bio.SwissProt loop over some entries, reading included."""
    with gzip.open(file, "rt") as handle:
        records = SwissProt.parse(handle)
        for _ in itertools.islice(records, skip):
            pass
        start = time.perf_counter()
        for _ in itertools.islice(records, entries):
            pass
        return time.perf_counter() - start


@contextmanager
def peak_memory() -> Iterator[list[float]]:
    """Yield a list whose only number becomes the peak of resident memory in GB, children too."""
    peak = [0.0]
    done = threading.Event()
    me = psutil.Process()

    def watch() -> None:
        while not done.wait(0.5):
            total = 0
            for process in [me, *me.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    total += process.memory_info().rss
            peak[0] = max(peak[0], total / 1e9)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def main() -> None:
    """Make the file, fetch it, parse it and print what each step took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=570_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--sample", type=int, default=4_000, help="entries of the plain loop")
    parser.add_argument("--packaged", type=Path, default=PACKAGED, help="flat file of the entries")
    parser.add_argument("--work", type=Path, help="folder for a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work) as name:
        folder = Path(name)
        packaged = options.packaged
        if not packaged.exists():
            packaged = folder / "swissprot.dat"
            collect_entries(packaged, folder / "manifest.json", work=folder / "packages")
        (folder / "server").mkdir()
        start = time.perf_counter()
        md5 = make_file(packaged, options.entries, folder / "server" / NAME)
        made = time.perf_counter() - start
        size = (folder / "server" / NAME).stat().st_size
        print(f"made: {options.entries} entries, {size / 1e9:.2f} GB, {made:.0f} s", flush=True)
        half = min(options.sample, options.entries) // 2
        loop = plain_loop(folder / "server" / NAME, 0, half)
        with peak_memory() as memory:
            start = time.perf_counter()
            with served(folder / "server") as url:
                network = Network(urls={"uniprot_files": url}, rates={}, cache=folder / "cache")
                with Client(network) as client:
                    client.download("uniprot_files", NAME, folder / NAME, size=size, md5=md5)
            fetched = time.perf_counter() - start
            (folder / "server" / NAME).unlink()
            start = time.perf_counter()
            tables = folder / "proteins.parquet", folder / "rejects.parquet"
            parse_entries(
                [folder / NAME],
                *tables,
                filters=FILTERS,
                metadata={},
                processes=options.processes,
                work=folder,
            )
            parsed = time.perf_counter() - start
        loop += plain_loop(folder / NAME, half, half)
        rows = [pq.ParquetFile(table).metadata.num_rows for table in tables]
        if sum(rows) != options.entries:
            raise RuntimeError(f"{options.entries} entries, but {rows} came out")
        ours, theirs = options.entries / parsed, 2 * half / loop
        print(f"| download and MD5 | {fetched:.0f} s |")
        print(f"| parse, {options.processes} processes | {parsed:.0f} s |")
        print(f"| both | {(fetched + parsed) / 60:.1f} min |")
        print(f"| proteins and rejects | {rows[0]} and {rows[1]} |")
        print(f"| peak memory of all processes | {memory[0]:.2f} GB |")
        print(f"| entries a second, ours | {ours:.0f} |")
        print(f"| entries a second, plain Bio.SwissProt loop | {theirs:.0f} |")
        print(f"| ratio | {ours / theirs:.2f} |")


if __name__ == "__main__":
    main()
