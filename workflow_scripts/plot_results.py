"""Plot losses, metrics, the split and the knowledge graph."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.report.degree_plot import plot_degrees
from protscribe.report.plots import plot_losses, plot_metrics, plot_split

with script_log(snakemake.log[0]):
    figures = Path(snakemake.output[0]).parent
    # .../systems/SYSTEM/SEED/STAGE/losses.tsv
    losses = {" ".join(Path(path).parts[-4:-1]): Path(path) for path in snakemake.input.losses}
    plot_losses(losses, figures / "losses")
    plot_metrics(Path(snakemake.input.metrics), figures / "metrics")
    plot_split(Path(snakemake.input.split), figures / "split")
    # Only runs with a knowledge graph have one of these.
    for path in snakemake.input.degrees:
        plot_degrees(Path(path), figures / "knowledge")
