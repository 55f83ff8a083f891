"""Answer the test questions with a tuned system."""

from pathlib import Path

from protscribe.devices import pick_device
from protscribe.errors import script_log
from protscribe.evaluation.generate import predict_system
from protscribe.provenance import state_folder

with script_log(snakemake.log[0]):
    params, system = snakemake.params, snakemake.wildcards.system
    folders = [Path(path).parent for path in snakemake.input.models]
    shuffled = [Path(path).parent for path in snakemake.input.shuffled]
    output = Path(snakemake.output.predictions)
    settings = [params.predict, params.compute["predict_batch_tokens"], params.code]
    predict_system(
        {int(folder.parent.name): folder for folder in folders},
        Path(snakemake.input.language_model).parent,
        Path(snakemake.input.store).parent,
        [Path(path) for path in snakemake.input.conversations],
        output,
        predictor=system,
        shuffled_store=shuffled[0] if shuffled else None,
        batch_tokens=params.compute["predict_batch_tokens"],
        state=state_folder(output.parent, f"predict-{system}", snakemake.input, settings),
        device=pick_device(params.compute["device"]),
        threads=params.compute["torch_threads"],
        **params.predict,
    )
