"""Put conversations into a system's own prompt."""

from pathlib import Path

from protscribe.corpora.prompted import make_prompts
from protscribe.errors import script_log
from protscribe.prompts import PromptStyle

with script_log(snakemake.log[0]):
    make_prompts(
        [Path(snakemake.input.corpus)],
        Path(snakemake.input.proteins),
        Path(snakemake.output.conversations),
        style=PromptStyle(**snakemake.params.prompt),
    )
