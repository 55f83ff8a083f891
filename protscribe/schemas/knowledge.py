"""Tables of the knowledge graph, and of the corpora that a language model is pretrained on."""

from protscribe.schemas.spec import COUNT, TEXT, TEXTS, VECTOR, TableSpec, spec

KNOWLEDGE: dict[str, TableSpec] = {
    "knowledge_annotations": spec("id", id=TEXT, kind=TEXT, name=TEXT, source=TEXT),
    "knowledge_triples": spec(
        "accession relation annotation",
        accession=TEXT,
        relation=TEXT,
        annotation=TEXT,
        fold=TEXT,
    ),
    "knowledge_edges": spec(
        "child relation parent", child=TEXT, relation=TEXT, parent=TEXT, source=TEXT
    ),
    "knowledge_counts": spec(
        "relation",
        relation=TEXT,
        triples=COUNT,
        proteins=COUNT,
        annotations=COUNT,
        training_triples=COUNT,
    ),
    "knowledge_chains": spec(
        "id",
        id=TEXT,
        accession=TEXT,
        fold=TEXT,
        annotation=TEXT,
        steps=TEXTS,
        relations=TEXTS,
    ),
    "knowledge_vectors": spec("id", id=TEXT, kind=TEXT, vector=VECTOR),
    "sampled_triples": spec(
        "accession relation annotation",
        accession=TEXT,
        relation=TEXT,
        annotation=TEXT,
        draws=COUNT,
    ),
    "pretraining": spec(
        "id",
        id=TEXT,
        corpus=TEXT,
        fold=TEXT,
        accession=TEXT,
        pubmed_id=TEXT,
        text=TEXT,
        sequence=TEXT,
        licence=TEXT,
        source=TEXT,
    ),
}
