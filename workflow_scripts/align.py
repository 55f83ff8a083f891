"""Train a system's connector, encoder and language model being frozen."""

from pathlib import Path

from protscribe.devices import pick_device
from protscribe.errors import script_log
from protscribe.provenance import state_folder
from protscribe.training.launch import TrainingJob, run_training

with script_log(snakemake.log[0]):
    params, wildcards, files = snakemake.params, snakemake.wildcards, snakemake.input
    folder = Path(snakemake.output.connector).parent
    settings = [params.system, params.code, wildcards.training_seed]
    tables = files.conversations
    inputs = {
        "store": str(Path(files.store).parent),
        "conversations": [tables] if isinstance(tables, str) else list(tables),
    }
    # The objective decides which of these there is.
    if files.get("texts"):
        inputs["texts"] = files.texts
    if files.get("language_model"):
        inputs["language_model"] = str(Path(files.language_model).parent)
    job = TrainingJob(
        stage="align",
        system_name=wildcards.system,
        system=params.system,
        training_seed=int(wildcards.training_seed),
        inputs=inputs,
        state=str(state_folder(folder.parent, "align", files, settings)),
        output=str(folder),
        torch_threads=params.compute["torch_threads"],
    )
    run_training(
        job,
        processes=params.compute["processes"],
        device=pick_device(params.compute["device"]),
    )
