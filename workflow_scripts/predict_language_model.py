"""Answer the test questions with a language model that sees no protein."""

from pathlib import Path

from protscribe.devices import pick_device
from protscribe.errors import script_log
from protscribe.evaluation.blind import predict_language_model
from protscribe.provenance import state_folder

with script_log(snakemake.log[0]):
    params = snakemake.params
    predictor = f"language_model_{snakemake.wildcards.model}"
    output = Path(snakemake.output.predictions)
    settings = [params.predict, params.compute["predict_batch_tokens"], params.code]
    predict_language_model(
        Path(snakemake.input.language_model).parent,
        [Path(path) for path in snakemake.input.conversations],
        output,
        predictor=predictor,
        batch_tokens=params.compute["predict_batch_tokens"],
        state=state_folder(output.parent, predictor, snakemake.input, settings),
        device=pick_device(params.compute["device"]),
        threads=params.compute["torch_threads"],
        **params.predict,
    )
