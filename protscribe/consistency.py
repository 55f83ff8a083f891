"""What settings must agree on and a schema cannot say: names, and choices that need each other."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from protscribe.errors import InputError

Settings = Mapping[str, Any]


def check_settings(settings: Settings) -> None:
    """Check complete settings that the schema has passed.

    Raises
    ------
    InputError
        If a name refers to a model that is not configured or is of another kind, or a choice
        lacks what it needs. The text names the key and what is allowed.
    """
    for key, name, kind in _models_wanted(settings):
        _check_model(settings["models"], key, name, kind)
    for name, system in settings["systems"].items():
        _check_stages(f"systems.{name}", system)
        _check_parts(f"systems.{name}", system)
    _check_corpora(settings)
    _check_sources(settings)
    _check_publications(settings)
    _check_writers(settings)
    if sum(settings["split"]["fractions"].values()) >= 1:
        raise InputError("configuration: split.fractions leave nothing to train on; sum below 1")


def uses_qa(settings: Settings) -> bool:
    """Return whether the settings ask for a corpus of questions and answers."""
    return bool(settings["qa"]["writers"] or settings["qa"]["files"])


def uses_knowledge(settings: Settings) -> bool:
    """Return whether the settings ask for a corpus made from a knowledge graph."""
    return bool(settings["knowledge"]["writers"])


def writes_proteins(system: Settings) -> bool:
    """Return whether a system writes proteins."""
    return "design" in system.get("tune", {}).get("directions", [])


def _models_wanted(settings: Settings) -> Iterator[tuple[str, str | None, str]]:
    """Yield each key that names a model, the name, and the kind that it must be."""
    if settings["systems"]:
        yield (
            "evaluation.bertscore_model",
            settings["evaluation"]["bertscore_model"],
            "text_encoder",
        )
    for name, system in settings["systems"].items():
        yield f"systems.{name}.language_model", system["language_model"], "language_model"
        if system["encoder"] is not None:
            yield f"systems.{name}.encoder.model", system["encoder"]["model"], "protein_encoder"
        if system["checkpoint"] is not None:
            yield f"systems.{name}.checkpoint", system["checkpoint"], "checkpoint"
    for name, model in settings["models"].items():
        if model["source"] == "part":
            yield f"models.{name}.of", model.get("of"), "checkpoint"
    qa = settings["qa"]
    for corpus in ("qa", "knowledge"):
        writer = settings[corpus]["language_model"]
        if "language_model" in settings[corpus]["writers"] and writer["type"] == "transformers":
            yield f"{corpus}.language_model.model", writer["model"], "language_model"
    if (encoder := qa["filters"]["text_encoder"]) is not None:
        yield "qa.filters.text_encoder", encoder, "text_encoder"
    if (blind := qa["blind"]["model"]) is not None:
        yield "qa.blind.model", blind, "language_model"


def _check_model(models: Settings, key: str, name: str | None, kind: str) -> None:
    if name is None or name not in models:
        known = ", ".join(sorted(models))
        raise InputError(f"configuration: {key} names the model {name!r}; models has: {known}")
    if (found := models[name]["kind"]) != kind:
        raise InputError(
            f"configuration: {key} needs a model of kind {kind}; models.{name} is a {found}"
        )


def _check_stages(key: str, system: Settings) -> None:
    stages = [stage for stage in ("align", "tune") if stage in system]
    if system["checkpoint"] is not None:
        if stages:
            raise InputError(
                f"configuration: {key}.checkpoint says that nothing is trained; "
                f"leave {key}.{stages[0]} out"
            )
        return
    for stage in ("align", "tune"):
        if stage not in stages:
            raise InputError(
                f"configuration: {key}: '{stage}' is a required property of a system without "
                "checkpoint"
            )
    if system["prompt"]["format"] not in ("chat", "instruction"):
        raise InputError(
            f"configuration: {key}.prompt.format is {system['prompt']['format']!r}, which is for "
            "published checkpoints; allowed: chat, instruction"
        )


def _check_parts(key: str, system: Settings) -> None:
    """Check that what reads and writes proteins fits together."""
    encoder, residues = system["encoder"], system["residues"]
    if (encoder is None) != (system["connector"] is None):
        lacks, has = ("encoder", "connector") if encoder is None else ("connector", "encoder")
        raise InputError(f"configuration: {key} has {has} and no {lacks}; give both or neither")
    if encoder is None and residues is None:
        raise InputError(
            f"configuration: {key} reads no proteins; give encoder and connector, or residues"
        )
    if system["checkpoint"] is not None:
        return
    align, tune = system["align"], system["tune"]
    if (align["objective"] == "language_modelling") != (encoder is None):
        raise InputError(
            f"configuration: {key}.align.objective is {align['objective']!r}; contrastive and "
            "captioning need an encoder, language_modelling has none"
        )
    if encoder is None and align["lora"] != tune["lora"]:
        raise InputError(
            f"configuration: {key}.tune goes on with what align trained; give both the same lora"
        )
    if tune["lora"] is None and system["precision"] != "float32":
        raise InputError(
            f"configuration: {key}.tune.lora is empty, so that the whole language model is "
            "trained; that needs precision float32"
        )
    if writes_proteins(system) and (residues is None or "knowledge" not in tune["corpora"]):
        raise InputError(
            f"configuration: {key}.tune.directions has design, which needs residues, and "
            "knowledge in tune.corpora"
        )


def _check_corpora(settings: Settings) -> None:
    """Check that each corpus that a system names is made."""
    made = {"qa": uses_qa(settings), "knowledge": uses_knowledge(settings)}
    for name, system in settings["systems"].items():
        parts = {stage: system[stage] for stage in ("align", "tune", "predict") if stage in system}
        for stage, part in parts.items():
            for corpus in part["corpora"]:
                if not made.get(corpus, True):
                    sources = (
                        "qa.writers and qa.files are" if corpus == "qa" else f"{corpus}.writers is"
                    )
                    raise InputError(
                        f"configuration: systems.{name}.{stage}.corpora has {corpus}, but "
                        f"{sources} empty; choose a writer"
                    )
        literature = settings["pretraining"]["literature"]["statements"]
        if (
            "literature" in system.get("align", {}).get("corpora", [])
            and settings["publications"]["source"] == "none"
            and not literature
        ):
            raise InputError(
                f"configuration: systems.{name}.align.corpora has literature; it needs "
                "publications.source, or pretraining.literature.statements"
            )
    external = settings["pretraining"]["sequences"]["external"]
    if external == "uniref" and settings["vocabularies"]["uniref"]["source"] == "none":
        raise InputError(
            "configuration: pretraining.sequences.external is uniref; it needs "
            "vocabularies.uniref.source"
        )


def _check_sources(settings: Settings) -> None:
    source = settings["source"]
    if source["type"] == "uniprot_query" and bool(source["query"]) == bool(source["accessions"]):
        raise InputError(
            "configuration: source.type uniprot_query needs either query or accessions"
        )
    if source["type"] == "uniprot_release" and not re.fullmatch(
        r"current|\d{4}_\d{2}", source["release"]
    ):
        raise InputError(
            f"configuration: source.release is {source['release']!r}; uniprot_release needs "
            "current or a release such as 2026_01"
        )
    ontology, vocabularies = settings["ontology"], settings["vocabularies"]
    readers = {
        "source": source,
        "publications": settings["publications"],
        "ontology": ontology,
        **{f"vocabularies.{name}": part for name, part in vocabularies.items()},
    }
    for name, part in readers.items():
        if part.get("type", part.get("source")) == "files" and not part["paths"]:
            raise InputError(f"configuration: {name}.paths is empty; name at least one file")
    if vocabularies["interpro"]["source"] != "none" and ontology["source"] == "none":
        raise InputError(
            "configuration: vocabularies.interpro needs the ontology; choose ontology.source"
        )


def _check_publications(settings: Settings) -> None:
    publications = settings["publications"]
    if "abstract" in settings["contexts"] and publications["source"] == "none":
        raise InputError(
            "configuration: contexts has abstract, but publications.source is none; choose a source"
        )
    if "name_search" in publications["routes"] and publications["source"] != "entrez":
        raise InputError(
            "configuration: publications.routes has name_search, which asks PubMed; "
            "it needs publications.source entrez"
        )


def _check_writers(settings: Settings) -> None:
    """Check the language models that write questions and instructions."""
    qa = settings["qa"]
    if "language_model" in qa["writers"]:
        missing = sorted(set(qa["language_model"]["kinds"]) - set(settings["contexts"]))
        if missing:
            raise InputError(
                f"configuration: qa.language_model.kinds has {missing[0]}, which contexts has not; "
                "add it there"
            )
    for corpus in ("qa", "knowledge"):
        writer = settings[corpus]["language_model"]
        if "language_model" not in settings[corpus]["writers"] or writer["type"] != "server":
            continue
        for key in ("url", "model", "revision"):
            if writer[key] is None:
                raise InputError(
                    f"configuration: {corpus}.language_model.type server needs "
                    f"{corpus}.language_model.{key}"
                )
