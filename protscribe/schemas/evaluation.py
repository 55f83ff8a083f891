"""Tables of predictions, scores and results."""

import pyarrow as pa

from protscribe.schemas.spec import COUNT, NUMBER, TEXT, TableSpec, spec

EVALUATION: dict[str, TableSpec] = {
    "predictions": spec(
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
    "scores": spec(
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
    "metrics": spec(
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
