"""A real HTTP/1.1 server on loopback that stands in for a provider, with faults to switch on.

An app is a function from `Request` to `Answer`. Around it the server does what real servers do,
byte ranges included, keeps every request in `LoopbackServer.requests`, and spoils answers as
`LoopbackServer.faults` asks::

    with LoopbackServer(lambda request: Answer(body=b"hello")) as server:
        server.faults.append(Fault("/search", status=429, headers={"retry-after": "1"}))
        ...
        assert [request.status for request in server.requests] == [429, 200]
"""

import json
import mmap
import re
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass
class Request:
    """One request as it came: names of headers in lower case, `at` by `time.monotonic()`."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]
    at: float
    status: int | None = None
    port: int = 0
    """The client's, the same for all requests of one connection."""


@dataclass
class Answer:
    """What to send. A path as body is sent from the file, however large it is."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | memoryview | Path = b""


@dataclass
class Fault:
    """One way to spoil the answers to requests under `path`, so many `times`."""

    path: str = ""
    times: int = 1
    skip: int = 0
    """Let that many requests pass first."""
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut_after: int | None = None
    """Announce the whole body, then drop the connection after that many of its bytes."""
    truncate: int | None = None
    """A complete answer that holds only that many bytes of the body."""
    drip_seconds: float | None = None
    """Wait so long before every `drip_bytes` bytes of the body."""
    drip_bytes: int = 64
    change: Callable[[Answer], Answer] | None = None

    def spoil(self, answer: Answer) -> Answer:
        """Return the answer as this fault wants it."""
        if self.status is not None or self.body is not None:
            answer = Answer(self.status or 200, dict(self.headers), self.body or b"")
        elif self.headers:
            answer = replace(answer, headers={**answer.headers, **self.headers})
        answer = self.change(answer) if self.change else answer
        if self.truncate is not None:
            answer = replace(answer, body=as_view(answer.body)[: self.truncate])
        return answer


def json_answer(value: Any, status: int = 200, **headers: str) -> Answer:
    """Return a JSON answer; ``x_total_results="5"`` becomes a header ``x-total-results: 5``."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, {"content-type": "application/json", **named}, json.dumps(value).encode())


def as_view(body: bytes | memoryview | Path) -> memoryview:
    """Return a body as a memory view, without reading a file into memory."""
    if isinstance(body, Path):
        if not body.stat().st_size:
            return memoryview(b"")
        with body.open("rb") as file:
            body = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return memoryview(body)


def ranged(request: Request, answer: Answer) -> Answer:
    """Answer a Range request (RFC 9110, section 14), where the app offers ``accept-ranges``."""
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    offered = answer.headers.get("accept-ranges") == "bytes"
    if not wanted or not offered or request.method != "GET" or answer.status != 200:
        return answer
    guard = request.headers.get("if-range")
    if guard and guard not in (answer.headers.get("etag"), answer.headers.get("last-modified")):
        return answer
    body = as_view(answer.body)
    start, end = int(wanted[1]), min(int(wanted[2] or len(body) - 1), len(body) - 1)
    if start >= len(body):
        return Answer(416, {**answer.headers, "content-range": f"bytes */{len(body)}"})
    headers = {**answer.headers, "content-range": f"bytes {start}-{end}/{len(body)}"}
    return Answer(206, headers, body[start : end + 1])


class LoopbackServer:
    """Serve `app` on a free port of 127.0.0.1 while the context lasts.

    An error in the app is answered with status 500 and raised again when the context ends.
    """

    def __init__(self, app: Callable[[Request], Answer]) -> None:
        self.app = app
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.errors: list[Exception] = []
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "LoopbackServer":
        """Start serving."""
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Stop serving."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        if self.errors and kind is None:
            raise self.errors[0]

    def fault_for(self, request: Request) -> Fault:
        """Take the first fault that applies, counting it down; a fault of nothing if none does."""
        with self.lock:
            for fault in self.faults:
                if fault.times > 0 and request.path.startswith(fault.path):
                    if fault.skip > 0:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault
        return Fault()

    def answer(self, request: Request) -> tuple[Answer, Fault]:
        """Return what to send and how to spoil its sending."""
        try:
            answer = ranged(request, self.app(request))
        except Exception as error:
            self.errors.append(error)
            answer = Answer(500, body=traceback.format_exc().encode())
        fault = self.fault_for(request)
        return fault.spoil(answer), fault


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    owner: LoopbackServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        at, owner = time.monotonic(), self.server.owner
        url = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        request = Request(
            method=self.command,
            path=unquote(url.path),
            query=dict(parse_qsl(url.query, keep_blank_values=True)),
            form=dict(parse_qsl(content.decode(), keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            at=at,
            port=self.client_address[1],
        )
        with owner.lock:
            owner.requests.append(request)
        answer, fault = owner.answer(request)
        request.status = answer.status
        self._send(answer, fault)

    do_POST = do_HEAD = do_GET

    def _send(self, answer: Answer, fault: Fault) -> None:
        body = as_view(answer.body)
        chunked = answer.headers.get("transfer-encoding") == "chunked"
        lengths = {} if chunked else {"content-length": str(len(body))}
        headers = {**lengths, **{name.lower(): text for name, text in answer.headers.items()}}
        phrase = HTTPStatus(answer.status).phrase
        lines = [f"HTTP/1.1 {answer.status} {phrase}", *(f"{n}: {t}" for n, t in headers.items())]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        if self.command == "HEAD":
            return
        cut = len(body) if fault.cut_after is None else fault.cut_after
        step = fault.drip_bytes if fault.drip_seconds else 1 << 20
        for start in range(0, min(cut, len(body)), step):
            if fault.drip_seconds and self.server.owner.closing.wait(fault.drip_seconds):
                break
            part = body[start : min(start + step, cut)]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        if fault.cut_after is not None:
            self.close_connection = True
        elif chunked:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        """Keep the output of tests clean."""
