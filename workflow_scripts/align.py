"""Do the first stage of a system's training."""

from pathlib import Path

from protscribe.devices import pick_device
from protscribe.errors import script_log
from protscribe.provenance import state_folder
from protscribe.training.launch import TrainingJob, run_training, training_inputs

with script_log(snakemake.log[0]):
    params, wildcards = snakemake.params, snakemake.wildcards
    folder = Path(snakemake.output.losses).parent
    settings = [params.system, params.code, wildcards.training_seed]
    job = TrainingJob(
        stage="align",
        system_name=wildcards.system,
        system=params.system,
        training_seed=int(wildcards.training_seed),
        inputs=training_inputs(snakemake.input),
        state=str(state_folder(folder.parent, "align", snakemake.input, settings)),
        output=str(folder),
        torch_threads=params.compute["torch_threads"],
    )
    run_training(
        job,
        processes=params.compute["processes"],
        device=pick_device(params.compute["device"]),
    )
