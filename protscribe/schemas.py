"""The schema of every table; `docs/tables.md` explains the columns."""

from dataclasses import dataclass

import pyarrow as pa

TEXT = pa.string()
TEXTS = pa.list_(pa.string())
COUNT = pa.int64()
NUMBER = pa.float64()
VECTOR = pa.list_(pa.float32())


def _records(**fields: pa.DataType) -> pa.DataType:
    return pa.list_(pa.struct(list(fields.items())))


@dataclass(frozen=True)
class TableSpec:
    """Columns of a table and the columns that identify a row."""

    schema: pa.Schema
    key: tuple[str, ...]


def _spec(key: str, /, **columns: pa.DataType) -> TableSpec:
    names = tuple(key.split())
    fields = [pa.field(name, kind, nullable=name not in names) for name, kind in columns.items()]
    return TableSpec(pa.schema(fields), names)


TABLES: dict[str, TableSpec] = {
    "proteins": _spec(
        "accession",
        accession=TEXT,
        entry_name=TEXT,
        reviewed=pa.bool_(),
        protein_name=TEXT,
        alternative_names=TEXTS,
        gene_names=TEXTS,
        organism=TEXT,
        taxon_id=COUNT,
        lineage=TEXTS,
        sequence=TEXT,
        length=COUNT,
        fragment=pa.bool_(),
        function=TEXT,
        function_class=TEXT,
        function_evidence=_records(statement=TEXT, eco=TEXT, pubmed_id=TEXT),
        catalytic_activity=TEXTS,
        subcellular_location=TEXTS,
        cofactors=TEXTS,
        pathway=TEXTS,
        family=TEXT,
        domains=_records(db=TEXT, id=TEXT, name=TEXT),
        features=_records(type=TEXT, start=COUNT, end=COUNT, note=TEXT),
        keywords=TEXTS,
        ec=TEXTS,
        go=_records(id=TEXT, aspect=TEXT, evidence=TEXT),
        references=_records(pubmed_id=TEXT, scope=TEXT),
        entry_created=pa.date32(),
        sequence_version=COUNT,
        text_hash=TEXT,
        sequence_hash=TEXT,
    ),
    "rejects": _spec("stage key", stage=TEXT, key=TEXT, reason=TEXT, detail=TEXT),
    "publications": _spec(
        "pubmed_id",
        pubmed_id=TEXT,
        pmcid=TEXT,
        doi=TEXT,
        title=TEXT,
        abstract=TEXT,
        journal=TEXT,
        year=COUNT,
        licence=TEXT,
        retracted=pa.bool_(),
        source=TEXT,
        mesh_terms=TEXTS,
    ),
    "candidates": _spec(
        "accession pubmed_id route",
        accession=TEXT,
        pubmed_id=TEXT,
        route=TEXT,
        scope=TEXT,
        rank=COUNT,
    ),
    "mentions": _spec(
        "accession pubmed_id route",
        accession=TEXT,
        pubmed_id=TEXT,
        route=TEXT,
        matched_name=TEXT,
        field=TEXT,
        offset=COUNT,
        scope=TEXT,
        species_match=pa.bool_(),
    ),
    "licences": _spec(
        "pmcid",
        pmcid=TEXT,
        version=COUNT,
        licence=TEXT,
        open_access=pa.bool_(),
        manuscript=pa.bool_(),
        retracted=pa.bool_(),
    ),
    "contexts": _spec(
        "id",
        id=TEXT,
        accession=TEXT,
        context=TEXT,
        text=TEXT,
        pubmed_id=TEXT,
        licence=TEXT,
        source=TEXT,
    ),
    "ontology_terms": _spec(
        "id",
        id=TEXT,
        name=TEXT,
        aspect=TEXT,
        definition=TEXT,
        synonyms=_records(text=TEXT, scope=TEXT),
        obsolete=pa.bool_(),
        replaced_by=TEXTS,
        consider=TEXTS,
        alternative_ids=TEXTS,
    ),
    "ontology_ids": _spec("id", id=TEXT, term=TEXT, kind=TEXT),
    "ontology_edges": _spec(
        "child relation parent", child=TEXT, relation=TEXT, parent=TEXT, basic=pa.bool_()
    ),
    "ontology_closure": _spec(
        "descendant ancestor", descendant=TEXT, ancestor=TEXT, distance=COUNT
    ),
    "interpro_entries": _spec("id", id=TEXT, type=TEXT, name=TEXT, short_name=TEXT),
    "interpro2go": _spec("interpro_id go_id", interpro_id=TEXT, go_id=TEXT, go_name=TEXT),
    "uniref_clusters": _spec(
        "cluster",
        cluster=TEXT,
        identity=COUNT,
        representative=TEXT,
        name=TEXT,
        members=COUNT,
        taxon_id=COUNT,
        sequence=TEXT,
        length=COUNT,
    ),
    "uniref_members": _spec(
        "accession", accession=TEXT, uniref100=TEXT, uniref90=TEXT, uniref50=TEXT
    ),
    "keywords": _spec(
        "id",
        id=TEXT,
        name=TEXT,
        category=TEXT,
        definition=TEXT,
        synonyms=TEXTS,
        go=TEXTS,
        parents=TEXTS,
    ),
    "locations": _spec(
        "id",
        id=TEXT,
        name=TEXT,
        kind=TEXT,
        definition=TEXT,
        synonyms=TEXTS,
        keyword=TEXT,
        go=TEXTS,
        is_a=TEXTS,
        part_of=TEXTS,
    ),
    "enzymes": _spec(
        "ec",
        ec=TEXT,
        name=TEXT,
        alternative_names=TEXTS,
        reactions=TEXTS,
        cofactors=TEXTS,
        transferred_to=TEXTS,
        deleted=pa.bool_(),
    ),
    "chemicals": _spec("id", id=TEXT, name=TEXT, synonyms=TEXTS, formula=TEXT),
    "clusters": _spec("accession", accession=TEXT, cluster=TEXT),
    "folds": _spec("accession", accession=TEXT, cluster=TEXT, fold=TEXT),
    "split": _spec(
        "accession",
        accession=TEXT,
        cluster=TEXT,
        fold=TEXT,
        dropped_reason=TEXT,
        max_train_identity=NUMBER,
        max_train_coverage=NUMBER,
        nearest_train_accession=TEXT,
    ),
    "conversations": _spec(
        "id",
        id=TEXT,
        accession=TEXT,
        corpus=TEXT,
        task=TEXT,
        fold=TEXT,
        context=TEXT,
        turns=_records(role=TEXT, content=TEXT),
        evidence_span=TEXT,
        pubmed_id=TEXT,
        licence=TEXT,
        writer=TEXT,
        writer_revision=TEXT,
        prompt_hash=TEXT,
        seed=COUNT,
    ),
    "embedding_index": _spec(
        "accession",
        accession=TEXT,
        sequence_hash=TEXT,
        shard=TEXT,
        start=COUNT,
        length=COUNT,
        residues_cut=COUNT,
    ),
    "text_vectors": _spec("text_hash", text_hash=TEXT, mean=VECTOR, std=VECTOR),
    "predictions": _spec(
        "id task fold condition training_seed",
        id=TEXT,
        task=TEXT,
        fold=TEXT,
        condition=TEXT,
        training_seed=COUNT,
        accession=TEXT,
        prompt=TEXT,
        reference=TEXT,
        prediction=TEXT,
        finish_reason=TEXT,
        tokens=COUNT,
        seed=COUNT,
    ),
    "scores": _spec(
        "predictor id task fold condition training_seed metric",
        predictor=TEXT,
        id=TEXT,
        task=TEXT,
        fold=TEXT,
        condition=TEXT,
        training_seed=COUNT,
        metric=TEXT,
        value=NUMBER,
    ),
    "metrics": _spec(
        "predictor task fold condition stratum metric",
        predictor=TEXT,
        task=TEXT,
        fold=TEXT,
        condition=TEXT,
        stratum=TEXT,
        metric=TEXT,
        value=NUMBER,
        low=NUMBER,
        high=NUMBER,
        n=COUNT,
        clusters=COUNT,
        seeds=COUNT,
        small_sample=pa.bool_(),
        training_examples=COUNT,
        training_steps=COUNT,
        signature=TEXT,
    ),
}
