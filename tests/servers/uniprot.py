"""Stand-ins for UniProt's REST service and for the layout of its file server.

Made after the public manual, the server's source and captured answers: pages of at most 500 with
a cursor in the Link header, release headers, error messages, inactive entries, metalinks. Both are
apps for `servers.loopback.LoopbackServer`, whose faults spoil their answers.
"""

import base64
import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from servers.loopback import Answer, Request, as_view, json_answer

Json = dict[str, Any]
Test = Callable[[Json], bool]

ACCESSION = r"(?:[OPQ][0-9][A-Z0-9]{3}[0-9]|[A-NR-Z][0-9](?:[A-Z][A-Z0-9]{2}[0-9]){1,2})"
MAX_SIZE, MAX_ACCESSIONS, MAX_OR = 500, 1000, 50


class UniProt:
    """The REST service: /uniprotkb/search, /uniprotkb/accessions and /uniprotkb/{accession}.

    Parameters
    ----------
    entries
        Entries as JSON, inactive ones among them; sorted by accession when asked to.
    release, date
        What the headers say; set them between requests for a new release.
    """

    def __init__(
        self, entries: Iterable[Json], release: str = "2026_02", date: str = "10-June-2026"
    ) -> None:
        self.entries = {entry["primaryAccession"]: entry for entry in entries}
        self.release, self.date = release, date

    def __call__(self, request: Request) -> Answer:
        try:
            answer = self._answer(request)
        except ValueError as error:
            url = f"http://{request.headers['host']}{request.path}"
            answer = json_answer({"url": url, "messages": [str(error)]}, 400)
        answer.headers |= {
            "x-uniprot-release": self.release,
            "x-uniprot-release-date": self.date,
            "x-api-deployment-date": "12-June-2026",
            "cache-control": "public, max-age=86400",
            "vary": "Accept, Accept-Encoding, X-UniProt-Release, X-API-Deployment-Date",
        }
        if "gzip" in request.headers.get("accept-encoding", "") and answer.status == 200:
            answer.headers["content-encoding"] = "gzip"
            answer.body = gzip.compress(bytes(answer.body), 1, mtime=0)
        return answer

    def _answer(self, request: Request) -> Answer:
        what = request.path.removeprefix("/uniprotkb/").removesuffix(".json")
        if request.query.get("format", "json") != "json":
            raise ValueError("Invalid format received. This stand-in has json only.")
        if what == "search":
            query = _required(request, "query")
            if (ors := len(re.findall(r"\bOR\b", query))) > MAX_OR:
                raise ValueError(f"Too many OR operators in the query: {ors}, at most {MAX_OR}.")
            passes = Query(query).test
            hidden = not re.search(r"\baccession:", query)
            found = [e for e in self.entries.values() if passes(e) and not (hidden and dead(e))]
            order = request.query.get("sort", "accession asc").split()
            if order not in (["accession", "asc"], ["accession", "desc"]):
                raise ValueError(f"Invalid sort field '{order[0]}'")
            found.sort(key=lambda e: e["primaryAccession"], reverse=order[1] == "desc")
            return self._page(request, found, 25)
        if what == "accessions":
            wanted = _required(request, "accessions").upper().split(",")
            if len(wanted) > MAX_ACCESSIONS:
                raise ValueError(
                    f"'{MAX_ACCESSIONS}' is the maximum count limit of comma separated items for "
                    f"'accessions' param. You have passed '{len(wanted)}' items."
                )
            for text in wanted:
                _check_accession(text)
            found = [self.entries[a] for a in dict.fromkeys(wanted) if a in self.entries]
            return self._page(request, found, len(wanted))
        _check_accession(what.upper())
        return self._one(what.upper())

    def _page(self, request: Request, found: list[Json], size: int) -> Answer:
        size = int(request.query.get("size", size))
        if size > MAX_SIZE and request.path.endswith("/search"):
            raise ValueError(f"'size' must be less than or equal to {MAX_SIZE}")
        start = _offset(request.query["cursor"]) if "cursor" in request.query else 0
        page = found[start : start + size]
        answer = json_answer({"results": page}, x_total_results=str(len(found)))
        if start + size < len(found):
            again = {**request.query, "cursor": _cursor(start + size), "size": str(size)}
            url = f"http://{request.headers['host']}{request.path}?{urlencode(again)}"
            answer.headers["link"] = f'<{url}>; rel="next"'
        return answer

    def _one(self, accession: str) -> Answer:
        entry = self.entries.get(accession)
        if entry is None:
            raise ValueError("Resource not found")
        reason = entry.get("inactiveReason", {})
        if reason.get("inactiveReasonType") == "MERGED":
            target = reason["mergeDemergeTo"][0]
            answer = json_answer(entry, 303)
            answer.headers["location"] = f"/uniprotkb/{target}?from={accession}"
            return answer
        return json_answer(entry)


def dead(entry: Json) -> bool:
    """Return whether an entry is inactive."""
    return entry["entryType"] == "Inactive"


def _required(request: Request, name: str) -> str:
    if not request.query.get(name):
        raise ValueError(f"'{name}' is a required parameter")
    return request.query[name]


def _check_accession(text: str) -> None:
    if not re.fullmatch(ACCESSION, text):
        raise ValueError(
            f"Accession '{text}' has invalid format. It should be a valid UniProtKB accession."
        )


def _cursor(offset: int) -> str:
    return base64.b32encode(f"after {offset}".encode()).decode().lower().rstrip("=")


def _offset(cursor: str) -> int:
    try:
        padded = cursor.upper() + "=" * (-len(cursor) % 8)
        return int(base64.b32decode(padded).decode().removeprefix("after "))
    except ValueError:
        raise ValueError("Invalid cursor") from None


class Query:
    """The part of UniProt's query language that tests use: AND, OR, NOT, brackets, some fields."""

    def __init__(self, text: str) -> None:
        value = r'(?:\[[^\]]*\]|"[^"]*"|[^\s()]+)'
        self.tokens = re.findall(rf"[()]|\w+:{value}|{value}", text)
        self.test = self._any()
        if self.tokens:
            raise ValueError("query parameter has an invalid syntax")

    def _any(self) -> Test:
        tests = [self._all()]
        while self.tokens[:1] == ["OR"]:
            self.tokens.pop(0)
            tests.append(self._all())
        return lambda entry: any(test(entry) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self.tokens and self.tokens[0] not in ("OR", ")"):
            if self.tokens[0] == "AND":
                self.tokens.pop(0)
            tests.append(self._one())
        return lambda entry: all(test(entry) for test in tests)

    def _one(self) -> Test:
        token = self.tokens.pop(0) if self.tokens else ")"
        if token == "NOT":
            test = self._one()
            return lambda entry: not test(entry)
        if token == "(":
            inner = self._any()
            if self.tokens[:1] != [")"]:
                raise ValueError("query parameter has an invalid syntax")
            self.tokens.pop(0)
            return inner
        if token in (")", "AND", "OR"):
            raise ValueError("query parameter has an invalid syntax")
        return _term(token)


def _term(token: str) -> Test:
    field, colon, value = token.partition(":")
    value = value.strip('"')
    if not colon:
        return lambda entry: token == "*" or token.lower() in json.dumps(entry).lower()
    fields: dict[str, Test] = {
        "accession": lambda e: e["primaryAccession"] == value,
        "sec_acc": lambda e: value in e.get("secondaryAccessions", []),
        "reviewed": lambda e: e["entryType"].startswith("UniProtKB rev") == (value == "true"),
        "organism_id": lambda e: str(e["organism"]["taxonId"]) == value,
        "cc_function": lambda e: any(c["commentType"] == "FUNCTION" for c in e.get("comments", [])),
        "fragment": lambda e: (
            ("Fragment" in e["proteinDescription"].get("flag", "")) == (value == "true")
        ),
        "length": lambda e: _within(e["sequence"]["length"], value),
    }
    if field not in fields:
        raise ValueError(f"'{field}' is not a valid search field")
    test = fields[field]
    return test if field in ("accession", "sec_acc") else lambda e: not dead(e) and test(e)


def _within(number: int, limits: str) -> bool:
    low, _, high = limits.strip("[]").partition(" TO ")
    return (low == "*" or number >= int(low)) and (high == "*" or number <= int(high))


class UniProtFiles:
    """The file server: current_release/, previous_releases/, RELEASE.metalink, reldate.txt.

    Parameters
    ----------
    current
        The flat file of the current release: its text, or a path to the gzip-compressed file.
    release, date
        Of the current one.
    previous
        Flat-file texts of previous releases by name, served as tar archives.
    """

    def __init__(
        self,
        current: str | Path,
        release: str = "2026_02",
        date: str = "10-Jun-2026",
        previous: Mapping[str, str] | None = None,
    ) -> None:
        self.files: dict[str, bytes | Path] = {}
        folder = "/current_release/knowledgebase/complete"
        self.files[f"{folder}/uniprot_sprot.dat.gz"] = (
            current if isinstance(current, Path) else gzip.compress(current.encode(), 1, mtime=0)
        )
        self.files[f"{folder}/uniprot_sprot.fasta.gz"] = gzip.compress(b">sp|P1|\nM\n", mtime=0)
        self.files[f"{folder}/reldate.txt"] = reldate(release, date)
        self.add_metalink(folder, release)
        for name, text in (previous or {}).items():
            folder = f"/previous_releases/release-{name}/knowledgebase"
            self.files[f"{folder}/uniprot_sprot-only{name}.tar.gz"] = release_tar(text)
            self.add_metalink(folder, name)

    def add_metalink(self, folder: str, release: str) -> None:
        """Describe the files of a folder in its RELEASE.metalink."""
        inside = {p.rpartition("/")[2]: b for p, b in self.files.items() if p.startswith(folder)}
        self.files[f"{folder}/RELEASE.metalink"] = metalink(folder, release, inside)

    def __call__(self, request: Request) -> Answer:
        if request.path not in self.files:
            return Answer(404, {"content-type": "text/html"}, b"<h1>Not Found</h1>")
        body = self.files[request.path]
        size = len(as_view(body))
        tag = f"{body.stat().st_mtime_ns:x}" if isinstance(body, Path) else _md5(body)
        return Answer(200, {"accept-ranges": "bytes", "etag": f'"{tag}-{size:x}"'}, body)


def release_tar(text: str, name: str = "uniprot_sprot.dat.gz") -> bytes:
    """Return the archive of a previous release: a flat file among others."""
    members = {
        "uniprot_sprot.fasta.gz": gzip.compress(b">sp|P1|\nM\n", mtime=0),
        name: gzip.compress(text.encode(), 1, mtime=0),
        "uniprot_sprot.xml.gz": gzip.compress(b"<uniprot/>", mtime=0),
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
        for member, content in members.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def reldate(release: str, date: str) -> bytes:
    """Return the text of reldate.txt."""
    return (
        f"UniProt Knowledgebase Release {release} consists of:\n"
        f"UniProtKB/Swiss-Prot Release {release} of {date}\n"
        f"UniProtKB/TrEMBL Release {release} of {date}\n"
    ).encode()


def metalink(folder: str, release: str, files: Mapping[str, bytes | Path]) -> bytes:
    """Return a RELEASE.metalink (Metalink 3.0) as UniProt writes it."""
    host = "https://ftp.uniprot.org/pub/databases/uniprot"
    described = "".join(
        f'    <file name="{name}">\n'
        f"      <size>{len(as_view(body))}</size>\n"
        f'      <verification>\n        <hash type="md5">{_md5(body)}</hash>\n'
        f"      </verification>\n      <resources>\n"
        f'        <url location="us" preference="80" type="https">{host}{folder}/{name}</url>\n'
        f"      </resources>\n    </file>\n"
        for name, body in sorted(files.items())
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<metalink version="3.0" xmlns="http://www.metalinker.org/" type="dynamic">\n'
        "  <publisher>\n    <name>UniProt</name>\n    <url>https://www.uniprot.org/</url>\n"
        "  </publisher>\n"
        f"  <version>{release}</version>\n  <files>\n{described}  </files>\n</metalink>\n"
    ).encode()


def _md5(body: bytes | Path) -> str:
    return hashlib.md5(as_view(body)).hexdigest()


def with_headers(**headers: str) -> Callable[[Answer], Answer]:
    """Return a change of answers for `Fault.change`: ``with_headers(x_uniprot_release="x")``."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return lambda answer: replace(answer, headers={**answer.headers, **named})


def without_headers(*names: str) -> Callable[[Answer], Answer]:
    """Return a change of answers that drops headers."""
    return lambda answer: replace(
        answer, headers={k: v for k, v in answer.headers.items() if k not in names}
    )
