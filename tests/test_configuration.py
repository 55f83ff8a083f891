import copy

import pytest
import yaml

from conftest import HOUSE
from protscribe.configuration import encoder_name, guide, resolve
from protscribe.errors import InputError

SCHEMA = yaml.safe_load((HOUSE / "config" / "schema.yaml").read_text())
FILES = [HOUSE / "config.yaml", *sorted((HOUSE / "config").glob("[!s]*.yaml"))]


@pytest.fixture
def config():
    return yaml.safe_load((HOUSE / "config.yaml").read_text())


def changed(config, path, value):
    """Return a copy with one value changed; a value of `...` deletes the key."""
    config = copy.deepcopy(config)
    *parents, last = path.split(".")
    place = config
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return config


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_shipped_configurations_are_valid(path):
    settings = resolve(yaml.safe_load(path.read_text()), SCHEMA)
    assert settings["split"]["criterion"]["min_identity"] == 0.3
    if "prot2text_v2" in settings["systems"]:
        assert settings["systems"]["prot2text_v2"]["align"]["pooling"] == ["mean", "std"]


def test_data_alone_needs_neither_models_nor_systems():
    settings = resolve({"name": "data", "source": {"type": "packaged"}}, SCHEMA)
    assert settings["systems"] == {} and settings["evaluation"]["bertscore_model"] is None


def test_defaults_fill_nested_mappings(config):
    settings = resolve(changed(config, "systems.prot2text_v2.predict", ...), SCHEMA)
    assert settings["systems"]["prot2text_v2"]["predict"]["max_new_tokens"] == 512
    assert settings["systems"]["prot2text_v2"]["tune"]["lora"]["dropout"] == 0.1
    assert settings["proteins"]["min_length"] == 30


def test_the_given_configuration_is_not_changed(config):
    before = copy.deepcopy(config)
    resolve(config, SCHEMA)
    assert config == before


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("sead", 1, "unknown key sead; did you mean seed"),
        ("split.minimun", 3, r"unknown key split\.minimun; did you mean minimum"),
        ("systems.prot2text_v2.tune.epoch", 2, r"unknown key systems\.prot2text_v2\.tune\.epoch"),
        ("seed", "one", "seed is 'one'; allowed: a integer"),
        ("split.minimum", 0, r"split\.minimum is 0; allowed: at least 1"),
        ("compute.device", "tpu", r"compute\.device is 'tpu'; allowed: one of auto, cpu, cuda"),
        ("source.type", "web", r"source\.type is 'web'; allowed: one of packaged, files"),
        ("models.minilm.sha256", "abc", r"models\.minilm\.sha256 is 'abc'; allowed: text matching"),
        ("models.minilm.kind", ..., r"models\.minilm: 'kind' is a required property"),
        (
            "systems.prot2text_v2.language_model",
            "gpt",
            r"systems\.prot2text_v2\.language_model names the model 'gpt'; models has: esm2_8m",
        ),
        (
            "systems.prot2text_v2.encoder.model",
            "minilm",
            r"needs a model of kind protein_encoder; models\.minilm is a text_encoder",
        ),
        ("evaluation.bertscore_model", ..., r"evaluation\.bertscore_model names the model None"),
        ("source.type", "files", r"source\.paths is empty; name at least one file"),
        ("source.type", "uniprot_query", "needs either query or accessions"),
        ("source.type", "uniprot_release", r"needs current or a release such as 2026_01"),
        ("publications.source", "none", r"contexts has abstract, but publications\.source is none"),
        ("publications.source", "files", r"publications\.paths is empty"),
        ("publications.routes", ["name_search"], r"needs publications\.source entrez"),
        ("network", {"rates": {"ncbi": 0}}, r"network\.rates\.ncbi is 0; allowed: above 0"),
        ("proteins.function_evidence", ["IDA"], r"function_evidence\.0 is 'IDA'; allowed: text"),
        ("systems.prot2text_v2.connector.latents", 8, r"unknown key .*connector\.latents"),
        ("systems.protein2text.connector.hidden", 8, r"unknown key .*connector\.hidden; .*latents"),
        ("systems.protein2text.align.temperature", 1, r"unknown key .*align\.temperature"),
        ("systems.protein2text.align.objective", "x", "allowed: one of contrastive, captioning"),
        ("systems.protein2text.tune", ..., r"'tune' is a required property of a system without"),
        ("systems.protein2text.checkpoint", "minilm", "needs a model of kind checkpoint"),
        ("systems.protein2text.prompt.format", "protein2text", "is for published checkpoints"),
        ("systems.protein2text.predict.conditions", ["blind"], "conditions"),
        ("qa.writers", [], r"systems\.protein2text\.tune\.corpora has qa, but qa\.writers and"),
        ("qa.language_model.kinds", ["abstract", "thesis"], "one of abstract, function_statement"),
        ("contexts", ["abstract"], r"kinds has function_statement, which contexts has not"),
        ("qa.language_model.type", "server", r"type server needs qa\.language_model\.url"),
        ("qa.language_model.model", "minilm", "needs a model of kind language_model"),
        ("qa.filters.text_encoder", "none", r"qa\.filters\.text_encoder names the model 'none'"),
        ("qa.blind.model", "esm2_8m", "needs a model of kind language_model"),
        ("models.minilm.source", "part", r"models\.minilm\.of names the model None"),
        ("split.fractions.validation", 0.5, None),
        ("systems.prot2text_v2.published", {}, None),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(config, path, value, message):
    bad = changed(config, path, value)
    if message is None:
        resolve(bad, SCHEMA)
        return
    with pytest.raises(InputError, match=message) as caught:
        resolve(bad, SCHEMA)
    assert "\n" not in str(caught.value)


def test_fractions_must_leave_training_proteins(config):
    bad = changed(config, "split.fractions", {"validation": 0.5, "test_low_homology": 0.5})
    with pytest.raises(InputError, match=r"split\.fractions leave nothing to train on"):
        resolve(bad, SCHEMA)


def test_faithful_merges_the_published_settings(config):
    plain = resolve(config, SCHEMA)["systems"]["prot2text_v2"]
    faithful = resolve(changed(config, "systems.prot2text_v2.faithful", True), SCHEMA)
    faithful = faithful["systems"]["prot2text_v2"]
    assert plain["align"]["symmetric"] and not faithful["align"]["symmetric"]
    assert plain["align"]["text_center"] and not faithful["align"]["text_center"]
    assert "{name}" in faithful["prompt"]["user_template"]
    assert plain["prompt"]["user_template"] == "<protein_sequence>"
    assert faithful["predict"] == plain["predict"] | {"reference_max_tokens": 512}
    assert faithful["tune"] == plain["tune"]
    assert "published" not in faithful


def test_published_settings_are_validated_where_they_count(config):
    bad = changed(config, "systems.prot2text_v2.published.align", {"symetric": False})
    bad["systems"]["prot2text_v2"]["faithful"] = True
    with pytest.raises(InputError, match="unknown key .*symetric; did you mean symmetric"):
        resolve(bad, SCHEMA)
    empty = changed(config, "systems.prot2text_v2.published", {})
    empty["systems"]["prot2text_v2"]["faithful"] = True
    with pytest.raises(InputError, match=r"systems\.prot2text_v2\.published"):
        resolve(empty, SCHEMA)


def test_whatever_changes_embeddings_changes_their_name(config):
    base = resolve(config, SCHEMA)["systems"]["prot2text_v2"]["encoder"]
    changes = [{}, {"model": "x"}, {"layer": 4}, {"max_residues": 9}, {"special_tokens": False}]
    names = {encoder_name(base | change) for change in [*changes, {"dtype": "bfloat16"}]}
    assert len(names) == 6
    assert encoder_name(base) == "esm2_8m-layer5-residues128"


def test_the_end_token_alone_has_a_name_of_its_own(config):
    encoder = resolve(config, SCHEMA)["systems"]["protein2text"]["encoder"]
    assert encoder_name(encoder | {"special_tokens": "end"}).endswith("-end")


def test_a_published_system_is_not_trained(config):
    config["models"]["released"] = {"kind": "checkpoint", "source": "path", "path": "x"}
    published = changed(config, "systems.protein2text.checkpoint", "released")
    with pytest.raises(InputError, match=r"nothing is trained; leave .*protein2text\.align out"):
        resolve(published, SCHEMA)
    for stage in ("align", "tune"):
        del published["systems"]["protein2text"][stage]
    system = resolve(published, SCHEMA)["systems"]["protein2text"]
    assert system["predict"]["corpora"] == ["qa", "descriptions"]


def test_the_guide_is_made_from_the_schema():
    assert (HOUSE / "config" / "README.md").read_text(encoding="utf-8") == guide(SCHEMA)


def test_every_key_is_explained():
    def unexplained(schema, prefix=""):
        for key, value in schema.get("properties", {}).items():
            if "description" not in value and "const" not in value:
                yield prefix + key
            yield from unexplained(value, f"{prefix}{key}.")

    parts = [SCHEMA, *SCHEMA["$defs"].values()]
    assert [key for part in parts for key in unexplained(part)] == []


def test_the_order_of_the_file_means_nothing(config):
    def reversed_keys(value):
        if not isinstance(value, dict):
            return value
        return {key: reversed_keys(value[key]) for key in reversed(list(value))}

    assert repr(resolve(config, SCHEMA)) == repr(resolve(reversed_keys(config), SCHEMA))
