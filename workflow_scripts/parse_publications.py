"""Parse publications."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.literature.candidates import candidate_ids
from protscribe.sources.literature.pubmed import parse_publications

with script_log(snakemake.log[0]):
    source = snakemake.input
    parse_publications(
        Path(source.manifest[0]) if source.manifest else [Path(path) for path in source.files],
        Path(snakemake.output.publications),
        Path(snakemake.output.rejects),
        metadata={},
        wanted=candidate_ids(Path(source.candidates)) if source.files else None,
        drop_retracted=snakemake.params.drop_retracted,
        processes=snakemake.threads,
    )
