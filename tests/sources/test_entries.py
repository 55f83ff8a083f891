"""Files of all formats into one table, in one process and in several."""

import gzip
import json
import os
import random
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from flat_entries import entry, random_protein
from protscribe.errors import InputError
from protscribe.sources import entries, runs
from protscribe.sources.entries import entry_facts, parse_entries
from protscribe.sources.formats import flatfile
from protscribe.tables import read_table

FILTERS = {
    "min_length": 10,
    "max_length": None,
    "fragments": "keep",
    "reviewed": "any",
    "function_evidence": [],
}


def parse(files, folder, processes=1, **filters):
    folder.mkdir(exist_ok=True)
    out = folder / "proteins.parquet", folder / "rejects.parquet"
    parse_entries(
        files,
        *out,
        filters=FILTERS | filters,
        metadata={"release": "x"},
        processes=processes,
        work=folder / "work",
    )
    assert list((folder / "work").iterdir()) == []
    return (
        read_table(out[0], "proteins").to_pylist(),
        read_table(out[1], "rejects").to_pylist(),
    )


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """Two files whose entries come in no order, with duplicates within, between and far apart."""
    rng = random.Random(0)
    folder = tmp_path_factory.mktemp("big")
    numbers = [rng.randrange(2500) for _ in range(3000)]
    texts = [
        entry(f"P{number:05d}", random_protein(rng, 5 + number % 90), f"Binds {at}")
        for at, number in enumerate(numbers)
    ]
    files = [folder / "a.dat", folder / "b.dat.gz"]
    files[0].write_text("".join(texts[:2000]))
    files[1].write_bytes(gzip.compress("".join(texts[2000:]).encode()))
    return files, numbers


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(flatfile, "_BLOCK", 50_000)
    monkeypatch.setattr(entries, "PIECE_BYTES", 200_000)
    monkeypatch.setattr(runs, "BLOCK_ROWS", 700)


def test_the_earliest_usable_entry_of_an_accession_is_kept(big, tmp_path, small_pieces):
    files, numbers = big
    proteins, rejects = parse(files, tmp_path)
    first = {}
    for at, number in enumerate(numbers):
        if 5 + number % 90 >= 10:
            first.setdefault(f"P{number:05d}", f"Binds {at}.")
    assert {row["accession"]: row["function"] for row in proteins} == first
    assert [row["accession"] for row in proteins] == sorted(first)
    assert len(proteins) + len(rejects) == len(numbers)
    assert {r["reason"] for r in rejects} == {"duplicate accession", "too short"}


@pytest.mark.slow
def test_processes_and_pieces_change_no_byte(big, tmp_path, small_pieces, monkeypatch):
    files, _ = big
    results = []
    for processes, piece in ((1, 200_000), (3, 200_000), (1, 2**23)):
        monkeypatch.setattr(entries, "PIECE_BYTES", piece)
        folder = tmp_path / f"{processes}-{piece}"
        parse(files, folder, processes)
        names = ("proteins.parquet", "rejects.parquet")
        results.append([(folder / name).read_bytes() for name in names])
    assert results[0] == results[1] == results[2]


@pytest.mark.slow
def test_a_worker_that_is_killed_ends_the_run(big, tmp_path, small_pieces):
    killed = []

    def kill_one():
        while not killed:
            for child in psutil.Process().children():
                with suppress(psutil.Error):
                    if "spawn_main" in " ".join(child.cmdline()) and child.cpu_times().user > 1:
                        child.kill()
                        killed.append(child.pid)
                        return
            time.sleep(0.05)

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    with pytest.raises(InputError, match="killed, probably because memory ran out"):
        parse(big[0] * 50, tmp_path, 2)
    killer.join()
    assert not (tmp_path / "proteins.parquet").exists()
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.slow
def test_a_bad_file_in_a_pool_is_named(big, tmp_path, small_pieces):
    bad = tmp_path / "bad.dat"
    bad.write_text(big[0][0].read_text()[:-30])
    with pytest.raises(InputError, match=r"bad\.dat: the file is truncated"):
        parse([bad], tmp_path / "out", 2)


ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
SCRIPT = """
import sys
from pathlib import Path
from protscribe.sources import entries
from protscribe.sources.formats import flatfile
print("script runs", flush=True)
entries.PIECE_BYTES = 50_000
files = [Path(sys.argv[1])] * int(sys.argv[3])
out = Path(sys.argv[2])
filters = dict(min_length=10, max_length=None, fragments="keep", reviewed="any")
entries.parse_entries(
    files, out / "p.parquet", out / "r.parquet", filters=filters | {"function_evidence": []},
    metadata={}, processes=2, work=out,
)
"""


@pytest.mark.slow
def test_a_script_without_a_guard_runs_once(big, tmp_path):
    # Snakemake's scripts have no `if __name__ == "__main__"`.
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(big[0][0]), str(tmp_path), "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("script runs") == 1
    assert (tmp_path / "p.parquet").exists()


@pytest.mark.slow
def test_workers_of_a_killed_run_end(big, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(big[0][0]), str(tmp_path), "500"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet, env=ENVIRONMENT) as run:
        family = []
        deadline = time.monotonic() + 60
        while len(family) < 3 and time.monotonic() < deadline:  # two workers and a tracker
            with suppress(psutil.NoSuchProcess):
                family = psutil.Process(run.pid).children(recursive=True)
            time.sleep(0.1)
        run.kill()
    assert len(family) == 3
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


def test_any_mix_of_formats(tmp_path):
    contents = {
        "flat.dat": entry("P00001", "M" * 40, "Binds zinc"),
        "export.tsv": "Entry\tSequence\tFunction [CC]\n"
        f"P00002\t{'M' * 40}\tFUNCTION: Binds iron. {{ECO:0000305}}.\nP00003\t{'M' * 40}\t\n",
        "plain.csv": f'accession,text,sequence\nP00004,"Binds, slowly",{"M" * 40}\n,x,MMM\n',
        "talk.json": json.dumps(
            [
                {
                    "id": "P00005",
                    "amino_seq": "M" * 40,
                    "conversations": [
                        {"from": "human", "value": "<protein_sequence>\nWhat?"},
                        {"from": "gpt", "value": text},
                    ],
                }
                for text in ("Binds lead.", "Binds gold.")
            ]
        ),
        "lines.jsonl": '{"primaryAccession": "P00006", "entryType": "Inactive"}\nnot json\n'
        '{"primaryAccession": "P00007"}\n',
    }
    files = []
    for name, text in contents.items():
        files.append(tmp_path / name)
        files[-1].write_text(text)
    proteins, rejects = parse(files, tmp_path / "out")
    assert {row["accession"]: row["function"] for row in proteins} == {
        "P00001": "Binds zinc.",
        "P00002": "Binds iron.",
        "P00004": "Binds, slowly",
        "P00005": "Binds lead.",
    }
    assert {r["key"]: r["reason"] for r in rejects} == {
        "P00003": "no FUNCTION comment",
        "entry 5": "no accession",
        "P00005": "duplicate accession",
        "P00006": "inactive entry",
        "entry 9": "not parsable",
        "P00007": "not parsable",
    }


def test_real_files_of_every_kind(shared_data, tmp_path):
    folder = shared_data / "protein_text"
    names = (
        "tb_uniprot_dev.csv.gz",
        "toxprot2005_dev.tsv.gz",
        "protein_text_dev.tsv.gz",
        "protein2text_sample_input.json",
    )
    if not all((folder / name).exists() for name in names):
        pytest.skip("needs the real files beside the project")
    proteins, rejects = parse([folder / name for name in names], tmp_path, min_length=30)
    assert len(proteins) + len(rejects) == 3426 + 1407 + 12502 + 3
    assert len(proteins) > 3000
    reasons = {r["reason"] for r in rejects}
    assert reasons == {
        *("duplicate accession", "no FUNCTION comment", "not a function text", "too short"),
    }
    for row in proteins:
        for tag in ("{ECO", "FUNCTION:", "(By similarity"):
            assert tag not in row["function"]


def test_no_file_at_all(tmp_path):
    with pytest.raises(InputError, match=r"source\.paths"):
        parse([], tmp_path)


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (
            {"sha256": "a", "release": "2026_01", "release_date": "2026-01-28", "licence": "CC0"},
            {"release": "2026_01", "release_date": "2026-01-28", "licence": "CC0", "sha256": "a"},
        ),
        (
            {"files": [{"sha256": "b"}]},
            {"release": "unknown", "licence": "mine", "sha256": "b"},
        ),
    ],
)
def test_facts_come_from_the_manifest_first(manifest, expected):
    source = {"type": "files", "release": "unknown", "licence": "mine"}
    assert entry_facts(manifest, source) == {"source": "files", **expected}
    both = entry_facts({"files": [{"sha256": "b"}, {"sha256": "c"}]}, source)
    assert len(both["sha256"]) == 64
