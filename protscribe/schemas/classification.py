"""Tables of the benchmarks that are answered by comparing the likelihood of given options."""

import pyarrow as pa

from protscribe.schemas.spec import COUNT, NUMBER, TEXT, TEXTS, TableSpec, spec

CLASSIFICATION: dict[str, TableSpec] = {
    # A published protein has no accession of ours, hence a null `accession` and its own sequence.
    "questions": spec(
        "id",
        id=TEXT,
        task=TEXT,
        fold=TEXT,
        accession=TEXT,
        sequence=TEXT,
        question=TEXT,
        lead=TEXT,
        options=TEXTS,
        truth=pa.list_(COUNT),
        group=TEXT,
        kind=TEXT,
    ),
    # One number an option, in the order of the question's `options`. `prior_log_likelihoods` is
    # null where the same options were not scored after a prompt without the protein.
    "option_scores": spec(
        "predictor id task fold condition training_seed",
        predictor=TEXT,
        id=TEXT,
        task=TEXT,
        fold=TEXT,
        condition=TEXT,
        training_seed=COUNT,
        accession=TEXT,
        log_likelihoods=pa.list_(NUMBER),
        tokens=pa.list_(COUNT),
        prior_log_likelihoods=pa.list_(NUMBER),
    ),
}
