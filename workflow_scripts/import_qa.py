"""Read questions and answers from LLaVA-style files."""

from pathlib import Path

from protscribe.corpora.qa.llava import import_qa
from protscribe.errors import script_log

with script_log(snakemake.log[0]):
    import_qa(
        [Path(path) for path in snakemake.input.files],
        Path(snakemake.input.proteins),
        Path(snakemake.output.pairs),
        Path(snakemake.output.rejects),
    )
