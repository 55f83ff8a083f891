"""The results page: one HTML file that needs nothing beside itself."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from protscribe.atomic import atomic_path, read_json
from protscribe.errors import InputError
from protscribe.evaluation.bootstrap import MIN_CLUSTERS
from protscribe.evaluation.runs import PAIRED_WITH
from protscribe.report.corpus import corpus_section, first_details, is_qa_stage, percent
from protscribe.report.design import DesignFiles, design_section
from protscribe.report.knowledge import KnowledgeFiles, knowledge_section
from protscribe.report.perplexity import perplexity_section
from protscribe.report.plots import words
from protscribe.report.results import (
    OPTION_COLUMNS,
    PUBLISHED_PREFIX,
    TEXT_COLUMNS,
    floors_present,
    result_tables,
    signatures,
)
from protscribe.tables import read_table

TEMPLATE = Path(__file__).parents[2] / "report" / "page.html.j2"
"""The page without its contents; lies outside the library because it holds no logic. Its parts lie
beside it."""

_SHOWN_REJECTS = 20


def write_report(
    metrics: Path,
    audit: Path,
    figures: Sequence[Path],
    provenance: Path,
    rejects: Sequence[Path],
    output: Path,
    *,
    title: str,
    note: str,
    statistics: Path | None = None,
    knowledge: KnowledgeFiles | None = None,
    designs: DesignFiles | None = None,
    summaries: Sequence[Path] = (),
) -> None:
    """Write the results page.

    Parameters
    ----------
    metrics
        The metrics table.
    audit
        ``audit.json`` of the split.
    figures
        PNG files, put into the page itself.
    provenance
        ``provenance.json`` of the run.
    rejects
        The rejects tables of the rules that leave records out.
    output
        The HTML file. It refers to no other file and no address.
    title
        What the run is called.
    note
        The first line of the page; empty for none.
    statistics
        Statistics of the corpus of questions and answers; None where the run has none, and then
        the page says nothing of it, as with what follows.
    knowledge
        Files of the knowledge graph.
    designs
        Tables of designed proteins.
    summaries
        ``summary.json`` of the training stages of systems that were pretrained.

    Raises
    ------
    InputError
        If a file is missing or lacks what is shown, or a figure is not a PNG.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"words": words, "scalar": _scalar, "percent": percent}
    rows = read_table(metrics, "metrics").to_pylist()
    found = read_json(audit)
    left_out = [row for path in rejects for row in read_table(path, "rejects").to_pylist()]
    corpus = None
    if statistics is not None:
        corpus = corpus_section(read_json(statistics), left_out)
        left_out = [row for row in left_out if not is_qa_stage(row["stage"])]
    page = environment.get_template(TEMPLATE.name).render(
        title=title,
        note=note.strip(),
        folds=result_tables(rows, TEXT_COLUMNS),
        paired_with=PAIRED_WITH,
        signatures=signatures(rows, TEXT_COLUMNS),
        classified=result_tables(rows, OPTION_COLUMNS),
        classified_signatures=signatures(rows, OPTION_COLUMNS),
        floors=floors_present(rows),
        published=any(row["task"].startswith(PUBLISHED_PREFIX) for row in rows),
        designs=design_section(designs) if designs else None,
        perplexity=perplexity_section(summaries),
        min_clusters=MIN_CLUSTERS,
        figures=[_figure(path) for path in figures],
        audit=found,
        violations=_count(found.get("violations", [])),
        knowledge=knowledge_section(knowledge) if knowledge else None,
        corpus=corpus,
        rejects=reject_summary(left_out),
        provenance=read_json(provenance),
    )
    with atomic_path(output) as partial:
        partial.write_text(page, encoding="utf-8")


def reject_summary(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Count rejects by stage and reason, with the first keys and examples of each."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["stage"], row["reason"] or "no reason given"), []).append(row)
    return [
        {
            "stage": stage,
            "reason": reason,
            "count": len(group),
            "keys": ", ".join(row["key"] for row in group[:_SHOWN_REJECTS])
            + (" …" if len(group) > _SHOWN_REJECTS else ""),
            "examples": first_details(group),
        }
        for (stage, reason), group in sorted(groups.items(), key=lambda i: (-len(i[1]), i[0]))
    ]


def _figure(path: Path) -> dict[str, str]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such figure; run plot_results") from None
    if not data.startswith(b"\x89PNG"):
        raise InputError(f"{path}: not a PNG file; run plot_results again")
    return {"name": path.stem, "data": base64.b64encode(data).decode("ascii")}


def _count(value: Any) -> int:
    return value if isinstance(value, int) else len(value)


def _scalar(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
