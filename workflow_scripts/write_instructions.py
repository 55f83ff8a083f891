"""Write one shard of the instructions made from the knowledge graph."""

from pathlib import Path

from protscribe.corpora.knowledge.instructions import write_instructions
from protscribe.errors import script_log
from protscribe.llm.writers import make_writer
from protscribe.provenance import the_file, the_folder

with script_log(snakemake.log[0]):
    given, params = snakemake.input, snakemake.params
    modelled = "language_model" in params.settings["writers"]
    write_instructions(
        *(Path(given[name]) for name in ("triples", "annotations", "edges")),
        the_file(given.closure),
        *(Path(given[name]) for name in ("chains", "sampled", "proteins", "split")),
        *(Path(snakemake.output[name]) for name in ("conversations", "rejects", "statistics")),
        settings=params.settings,
        writer=make_writer(
            params.settings["language_model"],
            the_folder(given.model),
            device=params.compute["device"],
            threads=params.compute["torch_threads"],
        )
        if modelled
        else None,
        cache=Path(params.cache),
        seed=params.seed,
        shard=int(snakemake.wildcards.shard),
        shards=params.settings["shards"],
        licence=params.licence,
    )
