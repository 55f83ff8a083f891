"""Licences of articles, from PubMed Central's article datasets, and what they allow.

The datasets keep one JSON file of metadata per version of an article (layout of 2026),
``metadata/PMC<id>.<version>.json``, in a public bucket that lists its files as Amazon S3 does. Of
an article outside of them no licence is known here.
"""

import re
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from lxml import etree
from tqdm import tqdm

from protscribe.errors import InputError
from protscribe.sources.client import Client, Response, Transient
from protscribe.tables import read_metadata, read_table, write_table

STAGE = "get_licences"

_KEY = re.compile(r"metadata/(PMC\d+)\.(\d+)\.json")
_LICENCE = re.compile(r"CC[\W_]?(0|ZERO|BY(?:[\W_](?:NC|SA|ND))*)(?:[\W_]\d\.\d.*)?", re.IGNORECASE)


def get_licences(publications: Path, licences: Path, rejects: Path, *, client: Client) -> None:
    """Ask the datasets for the licence of every publication that is in PubMed Central.

    Two requests per article: its versions, and the metadata of each. The version that counts is
    the highest that is the publisher's, not an author's manuscript, else the highest. A retraction
    of any version counts.

    Parameters
    ----------
    publications
        The table.
    licences, rejects
        The tables to write. Publications = those whose PMCID is in table licences + rejects.
    client
        Asks provider ``pmc``.

    Raises
    ------
    InputError
        From the client, or if an answer is not what the datasets give.
    """
    ids = read_table(publications, "publications", ["pubmed_id", "pmcid"]).to_pydict()
    articles = sorted({pmcid for pmcid in ids["pmcid"] if pmcid})
    rows = {}
    for pmcid in tqdm(articles, desc="licences", unit=" articles", mininterval=5):
        if versions := _versions(client, pmcid):
            rows[pmcid] = _licence(pmcid, [_metadata(client, pmcid, v) for v in versions])
    rejected = [
        {
            "stage": STAGE,
            "key": pubmed_id,
            "reason": "not in PMC's article datasets" if pmcid else "no PMCID",
            "detail": pmcid or "",
        }
        for pubmed_id, pmcid in zip(ids["pubmed_id"], ids["pmcid"], strict=True)
        if pmcid not in rows
    ]
    kept = sum(pmcid in rows for pmcid in ids["pmcid"])
    if kept + len(rejected) != len(ids["pmcid"]):
        raise RuntimeError(
            f"{len(ids['pmcid'])} publications, but {kept} + {len(rejected)} came out"
        )
    known = sum(row["licence"] is not None for row in rows.values())
    told = f"{len(articles)} articles in PMC, {len(rows)} in its datasets, {known} with a licence"
    print(f"{len(ids['pmcid'])} publications: {told}", file=sys.stderr)
    facts = read_metadata(publications)
    write_table(rejects, "rejects", rejected, facts)
    write_table(licences, "licences", list(rows.values()), facts)


def normal_licence(code: str | None) -> str | None:
    """Return a licence as ``CC0``, ``CC BY``, ``CC BY-NC-ND`` and so on, without its version.

    None for what is no Creative Commons licence, such as permission for text mining alone.
    """
    found = _LICENCE.fullmatch((code or "").strip())
    if not found:
        return None
    kind = found.group(1).upper()
    return "CC0" if kind in ("0", "ZERO") else "CC " + re.sub(r"[\W_]", "-", kind)


def license_publications(
    publications: Path, licences: Path, output: Path, rejects: Path, *, drop_retracted: bool = True
) -> None:
    """Put licences, and retractions that PubMed Central knows, into the publications table.

    Parameters
    ----------
    publications, licences
        The tables.
    output, rejects
        The tables to write. Publications = output + rejects.
    drop_retracted
        Whether retracted articles are rejects or kept with their mark.
    """
    table = read_table(publications, "publications")
    known = {row["pmcid"]: row for row in read_table(licences, "licences").to_pylist()}
    found = [known.get(pmcid, {}) for pmcid in table["pmcid"].to_pylist()]
    licence = pa.array([row.get("licence") for row in found], pa.string())
    marks = pa.array([bool(row.get("retracted")) for row in found], pa.bool_())
    retracted = pc.or_(pc.fill_null(table["retracted"], False), marks)
    names = table.column_names
    table = table.set_column(names.index("licence"), "licence", licence)
    table = table.set_column(names.index("retracted"), "retracted", retracted)
    dropped = table.filter(retracted) if drop_retracted else table.slice(0, 0)
    rejected = [
        {"stage": "license_publications", "key": key, "reason": "retracted", "detail": "by PMC"}
        for key in dropped["pubmed_id"].to_pylist()
    ]
    facts = read_metadata(publications)
    write_table(rejects, "rejects", rejected, facts)
    kept = table.filter(pc.invert(retracted)) if drop_retracted else table
    write_table(output, "publications", kept, facts)


def share_publications(
    publications: Path,
    mentions: Path,
    shared_publications: Path,
    shared_mentions: Path,
    *,
    allow: Collection[str],
) -> None:
    """Write both tables as they may be given to others.

    Title and abstract stay where the licence is allowed, and are null elsewhere; ids, journal,
    year, licence and the mentions with their offsets are facts and stay.

    Parameters
    ----------
    publications, mentions
        The tables.
    shared_publications, shared_mentions
        The tables to write.
    allow
        Licences such as ``CC0`` and ``CC BY``; versions do not count.

    Raises
    ------
    InputError
        If an allowed licence is none that articles can have here.
    """
    table = read_table(publications, "publications")
    may = pa.array([may_share(code, allow) for code in table["licence"].to_pylist()], pa.bool_())
    for column in ("title", "abstract"):
        text = pc.if_else(may, table[column], pa.scalar(None, pa.string()))
        table = table.set_column(table.column_names.index(column), column, text)
    count = pc.sum(may).as_py() or 0
    print(f"texts of {count} of {len(table)} publications may be shared", file=sys.stderr)
    facts = read_metadata(publications) | {"texts": f"of licences {', '.join(sorted(allow))} only"}
    write_table(shared_publications, "publications", table, facts)
    write_table(shared_mentions, "mentions", read_table(mentions, "mentions"), facts)


def may_share(licence: str | None, allow: Collection[str]) -> bool:
    """Return whether a text of this licence may stand in a file that is given to others.

    Raises
    ------
    InputError
        If an allowed licence is not a Creative Commons one.
    """
    if strange := [code for code in allow if normal_licence(code) is None]:
        raise InputError(
            f"publications.licences: {strange[0]!r} is no licence of articles; "
            "CC0, CC BY, CC BY-SA, CC BY-NC and the like are"
        )
    code = normal_licence(licence)
    return code is not None and code in {normal_licence(code) for code in allow}


def _versions(client: Client, pmcid: str) -> list[int]:
    params = {"list-type": "2", "prefix": f"metadata/{pmcid}."}

    def check(response: Response) -> None:
        _read_listing(response, pmcid)

    return _read_listing(client.get("pmc", "/", params, check=check), pmcid)


def _read_listing(response: Response, pmcid: str) -> list[int]:
    parser = etree.XMLParser(load_dtd=False, no_network=True, resolve_entities=False)
    try:
        root = etree.fromstring(response.body, parser)
    except etree.XMLSyntaxError as error:
        raise Transient(f"the list of versions of {pmcid} is not XML ({error.msg})") from None
    keys = [element.text or "" for element in root.iterfind("{*}Contents/{*}Key")]
    if etree.QName(root).localname != "ListBucketResult" or root.getroottree().docinfo.internalDTD:
        raise InputError(
            f"{response.url}: not a list of PMC's article datasets; check network.urls.pmc"
        )
    matches = [match for key in keys if (match := _KEY.fullmatch(key))]
    return sorted(int(match[2]) for match in matches if match[1] == pmcid)


def _metadata(client: Client, pmcid: str, version: int) -> dict[str, Any]:
    def check(response: Response) -> None:
        facts = response.json()
        if not isinstance(facts, dict) or facts.get("pmcid") not in (pmcid, f"{pmcid}.{version}"):
            raise InputError(f"{response.url}: not the metadata of {pmcid}; check network.urls.pmc")

    response = client.get("pmc", f"/metadata/{pmcid}.{version}.json", check=check)
    return {**response.json(), "version": version}


def _licence(pmcid: str, versions: list[dict[str, Any]]) -> dict[str, Any]:
    counts = max(
        versions, key=lambda facts: (facts.get("is_manuscript") is not True, facts["version"])
    )
    is_open = counts.get("is_pmc_openaccess") is True
    return {
        "pmcid": pmcid,
        "version": counts["version"],
        "licence": normal_licence(counts.get("license_code")) if is_open else None,
        "open_access": is_open,
        "manuscript": counts.get("is_manuscript") is True,
        "retracted": any(facts.get("is_retracted") is True for facts in versions),
    }
