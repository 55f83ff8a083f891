"""Score the options of questions with a tuned system."""

from pathlib import Path

from protscribe.devices import pick_device
from protscribe.errors import script_log
from protscribe.evaluation.option_likelihoods import score_options
from protscribe.provenance import state_folder, the_file

with script_log(snakemake.log[0]):
    params, system = snakemake.params, snakemake.wildcards.system
    files, folders = snakemake.input, [Path(path).parent for path in snakemake.input.models]
    output = Path(snakemake.output.option_scores)
    settings = [params.conditions, params.compute["predict_batch_tokens"], params.code]
    score_options(
        {int(folder.parent.name): folder for folder in folders},
        Path(files.language_model).parent,
        [Path(path) for path in files.questions],
        output,
        predictor=system,
        stores=[Path(path).parent for path in files.stores],
        proteins=the_file(files.proteins),
        batch_tokens=params.compute["predict_batch_tokens"],
        state=state_folder(output.parent, f"options-{system}", files, settings),
        device=pick_device(params.compute["device"]),
        threads=params.compute["torch_threads"],
        conditions=params.conditions,
    )
