"""Score one predictor's predictions one by one."""

from pathlib import Path

from protscribe.devices import pick_device
from protscribe.errors import script_log
from protscribe.evaluation.metrics import score_predictions

with script_log(snakemake.log[0]):
    compute = snakemake.params.compute
    score_predictions(
        Path(snakemake.input.predictions),
        Path(snakemake.output.scores),
        predictor=snakemake.wildcards.predictor,
        bertscore_model=Path(snakemake.input.bertscore_model).parent,
        seed=snakemake.params.seed,
        device=pick_device(compute["device"]),
        threads=compute["torch_threads"],
    )
