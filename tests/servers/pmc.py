"""PMC's article datasets on loopback: an S3 bucket's listing and the metadata of versions."""

from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape

from servers.loopback import Answer, Request, json_answer


def article(
    pmcid: str,
    licence: str | None = "CC BY",
    *,
    version: int = 1,
    is_open: bool = True,
    manuscript: bool = False,
    retracted: bool = False,
) -> dict[str, Any]:
    """Return the metadata of one version of an article, with the keys of the layout of 2026."""
    stem = f"{pmcid}.{version}"
    base = f"https://pmc-oa-opendata.s3.amazonaws.com/{stem}/{stem}"
    return {
        "pmcid": pmcid,
        "version": version,
        "pmid": None,
        "doi": None,
        "title": f"Article {pmcid}",
        "citation": "J Tests. 2020; 1:1.",
        "is_pmc_openaccess": is_open,
        "is_manuscript": manuscript,
        "is_historical_ocr": False,
        "is_retracted": retracted,
        "license_code": licence,
        "xml_url": f"{base}.xml?md5=0",
        "text_url": f"{base}.txt?md5=0",
        "pdf_url": None,
        "media_urls": [],
    }


class PmcApp:
    """Serves ``GET /?list-type=2&prefix=`` and ``GET /metadata/PMC<id>.<version>.json``."""

    def __init__(self, articles: Iterable[dict[str, Any]]) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        for facts in articles:
            stem = f"{facts['pmcid']}.{facts['version']}"
            self.objects[f"metadata/{stem}.json"] = facts
            self.objects[f"{stem}/{stem}.txt"] = facts

    def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        key = request.path.lstrip("/")
        if not key and request.query.get("list-type") == "2":
            return self._listing(request.query.get("prefix", ""), request.query.get("delimiter"))
        if key in self.objects and key.startswith("metadata/"):
            return json_answer(self.objects[key], etag='"0123456789abcdef"')
        return Answer(404, {"content-type": "application/xml"}, _error("NoSuchKey", key))

    def _listing(self, prefix: str, delimiter: str | None) -> Answer:
        keys = sorted(key for key in self.objects if key.startswith(prefix))
        items, folders = [], []
        for key in keys[:1000]:
            rest = key[len(prefix) :]
            if delimiter and delimiter in rest:
                folders.append(prefix + rest.partition(delimiter)[0] + delimiter)
            else:
                items.append(f"<Contents><Key>{escape(key)}</Key><Size>1</Size></Contents>")
        common = "".join(
            f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>"
            for folder in dict.fromkeys(folders)
        )
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>pmc-oa-opendata</Name><Prefix>{escape(prefix)}</Prefix>"
            f"<KeyCount>{len(items) + len(folders)}</KeyCount><MaxKeys>1000</MaxKeys>"
            f"<IsTruncated>false</IsTruncated>{''.join(items)}{common}</ListBucketResult>"
        )
        return Answer(200, {"content-type": "application/xml"}, body.encode())


def _error(code: str, key: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>The specified '
        f"key does not exist.</Message><Key>{escape(key)}</Key></Error>"
    ).encode()
