"""Score the options of questions with a language model that sees no protein."""

from pathlib import Path

from protscribe.devices import pick_device
from protscribe.errors import script_log
from protscribe.evaluation.option_likelihoods import score_language_model
from protscribe.provenance import state_folder

with script_log(snakemake.log[0]):
    params = snakemake.params
    predictor = f"language_model_{snakemake.wildcards.model}"
    output = Path(snakemake.output.option_scores)
    settings = [params.precision, params.compute["predict_batch_tokens"], params.code]
    score_language_model(
        Path(snakemake.input.language_model).parent,
        [Path(path) for path in snakemake.input.questions],
        output,
        predictor=predictor,
        batch_tokens=params.compute["predict_batch_tokens"],
        state=state_folder(output.parent, f"options-{predictor}", snakemake.input, settings),
        device=pick_device(params.compute["device"]),
        threads=params.compute["torch_threads"],
        precision=params.precision,
    )
