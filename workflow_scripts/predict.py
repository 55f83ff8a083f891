"""Answer the test questions with a tuned system."""

from pathlib import Path

from protscribe.devices import pick_device
from protscribe.errors import script_log
from protscribe.evaluation.generate import predict_system
from protscribe.provenance import state_folder, the_file, the_folder

with script_log(snakemake.log[0]):
    params, system = snakemake.params, snakemake.wildcards.system
    files, folders = snakemake.input, [Path(path).parent for path in snakemake.input.models]
    output = Path(snakemake.output.predictions)
    settings = [params.predict, params.compute["predict_batch_tokens"], params.code]
    predict_system(
        {int(folder.parent.name): folder for folder in folders},
        Path(files.language_model).parent,
        [Path(path) for path in files.conversations],
        output,
        predictor=system,
        store=the_folder(files.store),
        shuffled_store=the_folder(files.shuffled_store),
        proteins=the_file(files.proteins),
        shuffled_proteins=the_file(files.shuffled_proteins),
        batch_tokens=params.compute["predict_batch_tokens"],
        state=state_folder(output.parent, f"predict-{system}", files, settings),
        device=pick_device(params.compute["device"]),
        threads=params.compute["torch_threads"],
        **params.predict,
    )
