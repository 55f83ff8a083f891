"""Published checkpoints, in their released layouts, through the ordinary rules."""

import copy as copying

import pytest

from helpers_releases import PROT2TEXT_V2, PROTEIN2TEXT, write_prot2text_v2, write_protein2text
from protscribe.atomic import read_json
from protscribe.tables import read_table
from tiny_models import write_tiny_encoder, write_tiny_language_model
from tiny_runs import planned, run, write_settings

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


def released(settings, folder):
    """Return settings whose only systems are two made-up releases."""
    encoder = write_tiny_encoder(folder / "esm")
    language_model = write_tiny_language_model(folder / "llama")
    write_prot2text_v2(folder / "v2", encoder, language_model)
    write_protein2text(folder / "p2t", language_model, torch_files=True)
    settings = copying.deepcopy(settings)
    path = {"source": "path"}
    parts = {"source": "part", "of": "prot2text_v2"}
    settings["models"] |= {
        "base": {"kind": "language_model", **path, "path": str(language_model)},
        "esm": {"kind": "protein_encoder", **path, "path": str(encoder)},
        "protein2text": {"kind": "checkpoint", **path, "path": str(folder / "p2t")},
        "prot2text_v2": {"kind": "checkpoint", **path, "path": str(folder / "v2")},
        "esm_of_v2": {
            "kind": "protein_encoder",
            **parts,
            "tokenizer": {**path, "path": str(encoder)},
        },
        "llama_of_v2": {
            "kind": "language_model",
            **parts,
            "tokenizer": {**path, "path": str(language_model)},
        },
    }
    settings["systems"] = {
        "released_p2t": {
            **PROTEIN2TEXT,
            "encoder": {"model": "esm", "layer": -2, "special_tokens": "end"},
            "language_model": "base",
            "predict": {
                "corpora": ["qa", "descriptions"],
                "conditions": ["sequence", "blind"],
                "max_new_tokens": 4,
            },
        },
        "released_v2": {
            **PROT2TEXT_V2,
            "encoder": {"model": "esm_of_v2", "layer": -1},
            "language_model": "llama_of_v2",
            "predict": {"max_new_tokens": 4},
        },
    }
    return settings


def test_published_systems_stand_in_the_table(copy, tmp_path):
    config = write_settings(tmp_path / "released.yaml", released(copy.settings, tmp_path))
    rules = planned(copy.folder, config)
    assert "import_model" in rules and not rules & {"align", "tune", "embed_texts"}
    answer = run(copy.folder, config)
    assert answer.returncode == 0, answer.stdout
    results = copy.folder / "results"
    metrics = read_table(results / "metrics.parquet", "metrics").to_pylist()
    assert {"released_p2t", "released_v2", "nearest_neighbour"} <= {r["predictor"] for r in metrics}
    # A decoder out of a release is not asked as if it were untuned.
    assert "language_model_llama_of_v2" not in {row["predictor"] for row in metrics}
    rows = read_table(results / "predictions" / "released_p2t.parquet", "predictions").to_pylist()
    prompts = {row["condition"]: row["prompt"] for row in rows if row["task"] == "answer"}
    # The published layout: the protein stands before the user turn.
    assert prompts["sequence"].index("<protein_sequence>") < prompts["sequence"].index("user")
    assert "<protein_sequence>" not in prompts["blind"]
    system = read_json(results / "systems" / "released_p2t" / "0" / "model" / "system.json")
    assert system["release"]["name"] == "protein2text"
    assert planned(copy.folder, config) == set()
