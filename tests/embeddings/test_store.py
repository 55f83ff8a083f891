"""The store of protein embeddings: right values, resumable, shared, and clear when broken."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from protscribe.atomic import sha256_text
from protscribe.embeddings.encoders import load_encoder
from protscribe.embeddings.store import EmbeddingStore, embed_proteins
from protscribe.errors import InputError
from protscribe.schemas import TABLES
from protscribe.tables import read_table, write_table
from tiny_models import write_tiny_encoder

OPTIONS = {
    "layer": -2,
    "max_residues": 40,
    "special_tokens": True,
    "dtype": "float32",
    "batch_tokens": 200,
    "shard_tokens": 300,
    "device": "cpu",
    "threads": 1,
}


def write_proteins(path: Path, sequences: dict[str, str]) -> Path:
    empty = dict.fromkeys(TABLES["proteins"].schema.names)
    rows = [
        {
            **empty,
            "accession": accession,
            "sequence": sequence,
            "length": len(sequence),
            "sequence_hash": sha256_text(sequence),
        }
        for accession, sequence in sequences.items()
    ]
    write_table(path, "proteins", rows)
    return path


def random_sequences(count: int, longest: int = 60) -> dict[str, str]:
    rng = np.random.default_rng(0)
    letters = list("ACDEFGHIKLMNPQRSTVWYUXJ")
    return {
        f"P{i:05}": "".join(rng.choice(letters, rng.integers(3, longest))) for i in range(count)
    }


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory):
    return write_tiny_encoder(tmp_path_factory.mktemp("models") / "esm")


@pytest.fixture
def embed(encoder_folder, tmp_path):
    def run(sequences, output="store", cache="cache", **options):
        proteins = write_proteins(tmp_path / f"{output}.parquet", sequences)
        folder = tmp_path / output
        options = {**OPTIONS, **options, "cache": tmp_path / cache}
        embed_proteins(proteins, encoder_folder, folder, **options)
        return folder

    return run


@pytest.mark.parametrize("special_tokens", [True, False, "end"])
def test_each_protein_has_its_own_hidden_states(embed, encoder_folder, special_tokens):
    sequences = random_sequences(40)
    sequences["Q1"] = sequences["P00003"]
    folder = embed(sequences, special_tokens=special_tokens)
    encoder = load_encoder(encoder_folder, device="cpu", dtype="float32")
    store = EmbeddingStore(folder)
    assert len(store) == 41
    assert store.dim == encoder.hidden_size
    for accession, sequence in sequences.items():
        (alone,) = encoder.encode([sequence[:40]], -2)
        expected = {True: alone, False: alone[1:-1], "end": alone[1:]}[special_tokens]
        assert store[accession].shape == expected.shape
        assert torch.allclose(store[accession], expected, atol=1e-5)
    lengths = store.lengths(list(sequences))
    more = {True: 2, False: 0, "end": 1}[special_tokens]
    assert lengths == [min(len(s), 40) + more for s in sequences.values()]
    assert store.manifest["special_tokens"] == special_tokens


def test_what_is_cut_and_shared_is_recorded(embed):
    sequences = {"A": "M" * 50, "B": "M" * 60, "C": "MKV", "D": "MKV"}
    folder = embed(sequences)
    index = {row["accession"]: row for row in read_table(folder / "index.parquet",
             "embedding_index").to_pylist()}  # fmt: skip
    assert [index[a]["residues_cut"] for a in "ABCD"] == [10, 20, 0, 0]
    # Equal after the cut, so encoded once.
    for one, two in ("AB", "CD"):
        keys = ("shard", "start", "length")
        assert [index[one][k] for k in keys] == [index[two][k] for k in keys]
    assert index["A"]["sequence_hash"] == sha256_text("M" * 50)
    manifest = EmbeddingStore(folder).manifest
    assert (manifest["proteins"], manifest["distinct_sequences"]) == (4, 2)
    assert (manifest["proteins_cut"], manifest["residues_cut"]) == (2, 30)
    assert (manifest["layer"], manifest["layers"]) == (2, 3)


def test_a_cut_protein_keeps_its_end_token(embed, encoder_folder):
    folder = embed({"A": "MK" * 30}, special_tokens="end")
    encoder = load_encoder(encoder_folder, device="cpu", dtype="float32")
    (whole,) = encoder.encode(["MK" * 20], -2)
    assert torch.allclose(EmbeddingStore(folder)["A"], whole[1:], atol=1e-5)


def test_two_fresh_runs_give_the_same_bytes(embed):
    sequences = random_sequences(30)
    assert contents(embed(sequences)) == contents(embed(sequences, "again", "another_cache"))


def test_runs_share_what_is_encoded(embed, capsys, tmp_path):
    first = embed(random_sequences(20))
    before = {path.name for path in (tmp_path / "cache").rglob("shard-*")}
    second = embed(random_sequences(30), "second")
    assert "30 distinct sequences, 20 of them in the cache" in capsys.readouterr().err
    for accession in random_sequences(20):
        assert torch.equal(EmbeddingStore(first)[accession], EmbeddingStore(second)[accession])
    after = {path.name: path for path in (tmp_path / "cache").rglob("shard-*")}
    assert before < set(after)
    # Linked, not copied.
    for path in second.glob("shard-*"):
        assert path.samefile(after[path.name])
    shutil.rmtree(tmp_path / "cache")
    assert EmbeddingStore(first)["P00001"].shape[1] == 32


def test_other_settings_do_not_share(embed, capsys):
    sequences = random_sequences(10)
    embed(sequences)
    capsys.readouterr()
    for number, options in enumerate(
        (
            {"layer": 1},
            {"dtype": "bfloat16"},
            {"special_tokens": False},
            {"special_tokens": "end"},
        )
    ):
        embed(sequences, f"other{number}", **options)
        assert "10 distinct sequences, 0 of them in the cache" in capsys.readouterr().err
    embed(sequences, "same", layer=2)
    assert "10 of them in the cache" in capsys.readouterr().err


def test_bfloat16_is_stored_and_read_as_float32(embed):
    folder = embed(random_sequences(5), dtype="bfloat16")
    hidden = EmbeddingStore(folder)["P00001"]
    assert hidden.dtype == torch.float32
    assert torch.equal(hidden, hidden.bfloat16().float())


def test_failed_run_leaves_no_store_and_resumes_to_the_same_bytes(embed, monkeypatch, tmp_path):
    sequences = random_sequences(40)
    from protscribe.embeddings import cache

    save, calls = cache.save_file, []

    def save_twice(*arguments, **options):
        calls.append(1)
        if len(calls) > 2:
            raise KeyboardInterrupt
        save(*arguments, **options)

    monkeypatch.setattr(cache, "save_file", save_twice)
    with pytest.raises(KeyboardInterrupt):
        embed(sequences)
    assert not (tmp_path / "store").exists()
    assert len(list((tmp_path / "cache").rglob("shard-*"))) == 2
    monkeypatch.undo()
    resumed = embed(sequences)
    assert contents(resumed) == contents(embed(sequences, "fresh", "fresh_cache"))


@pytest.mark.slow
def test_kill_9_and_again_gives_the_same_bytes(embed, encoder_folder, tmp_path):
    sequences = random_sequences(3000)
    proteins = write_proteins(tmp_path / "proteins.parquet", sequences)
    folder = tmp_path / "killed"
    code = (
        "from pathlib import Path; from protscribe.embeddings.store import embed_proteins; "
        f"embed_proteins(Path({str(proteins)!r}), Path({str(encoder_folder)!r}), "
        f"Path({str(folder)!r}), cache=Path({str(tmp_path / 'cache')!r}), **{OPTIONS!r})"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    child = subprocess.Popen([sys.executable, "-c", code], env=environment)
    while len(list((tmp_path / "cache").rglob("shard-*"))) < 5:
        assert child.poll() is None, "the job ended before it could be killed"
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not folder.exists()
    resumed = embed(sequences, "killed")
    assert contents(resumed) == contents(embed(sequences, "fresh", "fresh_cache"))


def test_full_disk_is_one_clear_error(embed, tmp_path):
    (tmp_path / "cache").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(tmp_path / "cache")]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a tiny file system")
    try:
        with pytest.raises(InputError, match=r"no space left on the disk while writing .*shard-"):
            embed(random_sequences(40))
        left = {path.suffix for path in (tmp_path / "cache").rglob("*") if path.is_file()}
        assert left <= {".safetensors"}
        assert not list((tmp_path / "cache").rglob(".*partial*"))
    finally:
        subprocess.run(["umount", str(tmp_path / "cache")], check=True)
    assert not (tmp_path / "store").exists()
    assert len(EmbeddingStore(embed(random_sequences(40)))) == 40


def test_full_disk_where_mounting_is_not_allowed(embed, monkeypatch, tmp_path):
    # The words in which safetensors passes the operating system's error on.
    from safetensors import SafetensorError

    from protscribe.embeddings import cache

    def full(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(cache, "save_file", full)
    with pytest.raises(InputError, match="no space left on the disk"):
        embed(random_sequences(4))
    assert not (tmp_path / "store").exists()
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_damaged_and_missing_files_are_named(embed, tmp_path):
    folder = embed(random_sequences(10))
    with pytest.raises(InputError, match="no embedding of protein X1"):
        EmbeddingStore(folder)["X1"]
    with pytest.raises(InputError, match="run the rule embed_proteins"):
        EmbeddingStore(tmp_path / "nothing")
    shard = next((tmp_path / "cache").rglob("shard-*"))
    shard.write_bytes(shard.read_bytes()[:-10])
    with pytest.raises(InputError, match=rf"{shard.name}: not a shard of embeddings"):
        embed(random_sequences(10), "again")
    shard.unlink()
    assert "P00001" in EmbeddingStore(embed(random_sequences(10), "again"))


def test_bad_proteins(embed):
    with pytest.raises(InputError, match="no proteins to embed"):
        embed({})
    with pytest.raises(InputError, match="not an upper-case letter"):
        embed({"A": "MK*V"})
    with pytest.raises(InputError, match="does not fit into batches"):
        embed({"A": "M" * 39}, batch_tokens=40)


def test_an_unknown_choice_of_special_tokens(embed):
    with pytest.raises(InputError, match="special_tokens is 'start'; allowed: true, false, end"):
        embed({"A": "MKV"}, special_tokens="start")


def test_store_travels_to_another_process(embed):
    store = EmbeddingStore(embed(random_sequences(5)))
    here = store["P00002"]
    assert torch.equal(pickle.loads(pickle.dumps(store))["P00002"], here)
