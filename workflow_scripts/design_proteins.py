"""Have a tuned system write proteins on request."""

from pathlib import Path

from protscribe.devices import pick_device
from protscribe.errors import script_log
from protscribe.evaluation.design.generation import design_proteins
from protscribe.provenance import state_folder

with script_log(snakemake.log[0]):
    params, files, system = snakemake.params, snakemake.input, snakemake.wildcards.system
    folders = [Path(path).parent for path in files.models]
    output = Path(snakemake.output.designs)
    settings = [params.design, params.seed, params.compute["predict_batch_tokens"], params.code]
    design_proteins(
        {int(folder.parent.name): folder for folder in folders},
        Path(files.language_model).parent,
        Path(files.requests),
        output,
        Path(snakemake.output.fasta),
        system=system,
        settings=params.design,
        batch_tokens=params.compute["predict_batch_tokens"],
        state=state_folder(output.parent, f"design-{system}", files, settings),
        device=pick_device(params.compute["device"]),
        threads=params.compute["torch_threads"],
        seed=params.seed,
    )
