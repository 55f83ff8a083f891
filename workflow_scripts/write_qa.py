"""Have a language model write questions and answers from one shard of the contexts."""

from pathlib import Path

from protscribe.corpora.qa.writing import write_qa
from protscribe.errors import script_log
from protscribe.llm.writers import make_writer

with script_log(snakemake.log[0]):
    model, params = list(snakemake.input.model), snakemake.params
    write_qa(
        Path(snakemake.input.contexts),
        Path(snakemake.input.proteins),
        Path(snakemake.input.split),
        Path(snakemake.output.answers),
        Path(snakemake.output.rejects),
        writer=make_writer(
            params.settings,
            Path(model[0]).parent if model else None,
            device=params.compute["device"],
            threads=params.compute["torch_threads"],
        ),
        settings=params.settings,
        cache=Path(params.cache),
        seed=params.seed,
        shard=int(snakemake.wildcards.shard),
        shards=params.settings["shards"],
    )
