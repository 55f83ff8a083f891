"""Servers of chat completions on loopback: one with faults to switch on, and a real llama.cpp.

The first follows OpenAI's wire format as vLLM and llama.cpp do. It "writes" by quoting the text
that it is given, so that what comes out can be told from what went in::

    with ChatServer(Chat()) as server:
        server.faults.append(Fault(status=429, headers={"retry-after": "1"}))
        ...
        assert [request.status for request in server.requests] == [429, 200]
"""

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from servers.loopback import Answer, LoopbackServer, Request, _Handler, json_answer

PATH = "/v1/chat/completions"

LLAMA = """
import pathlib
import sys
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_ctx = int(sys.argv[2])
params.n_parallel = 2
params.cpuparams.n_threads = 1
params.warmup = False
params.port = 0
server = xllamacpp.Server(params)
pathlib.Path(sys.argv[3]).write_text(server.listening_address + "\\n")
sys.stdin.read()
"""


def quote(asked: Mapping[str, Any]) -> str:
    """Return an answer that quotes the first sentence of the text in the prompt."""
    user = asked["messages"][-1]["content"]
    text = re.search(r"<(text\d*)>\n(.*)\n</\1>", user, re.DOTALL)
    sentence = (text[2] if text else user).split(". ")[0]
    pair = {"evidence": sentence, "question": "What is known of this protein?", "answer": sentence}
    return json.dumps({"pairs": [pair]}, ensure_ascii=False)


class Chat:
    """A chat model as an app of `ChatServer`.

    Parameters
    ----------
    write
        Makes the content of an answer from the JSON of a request.
    model
        Its name; others are answered with 404.
    context
        Most characters of a conversation; longer ones are answered with 400.
    key
        Key that is wanted; without it the answer is 401.
    seconds
        How long an answer takes.
    finish_reason
        What is said of the end of an answer.
    """

    def __init__(
        self,
        write: Callable[[Mapping[str, Any]], str | None] = quote,
        *,
        model: str = "writer",
        context: int = 100_000,
        key: str = "",
        seconds: float = 0.0,
        finish_reason: str = "stop",
    ) -> None:
        self.write = write
        self.model, self.context, self.key = model, context, key
        self.seconds, self.finish_reason = seconds, finish_reason
        self.busy = self.most_busy = 0
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        with self._lock:
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
        try:
            time.sleep(self.seconds)
            return self._answer(request)
        finally:
            with self._lock:
                self.busy -= 1

    def _answer(self, request: Request) -> Answer:
        asked: Any = request.form
        if request.method != "POST" or request.path != PATH:
            return _error(404, "Not Found")
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            given = request.headers.get("authorization", "nothing")
            return _error(401, f"Incorrect API key provided: {given}")
        if asked["model"] != self.model:
            return _error(404, f"The model `{asked['model']}` does not exist.")
        size = sum(len(turn["content"]) for turn in asked["messages"])
        if size > self.context:
            return _error(400, f"maximum context length is {self.context}, requested {size}")
        content = self.write(asked)
        message = {"role": "assistant", "content": content}
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        usage = {"completion_tokens": len((content or "").split())}
        return json_answer({"object": "chat.completion", "choices": [choice], "usage": usage})


class ChatServer(LoopbackServer):
    """A loopback server whose requests carry JSON; the app finds it as the request's form."""

    def __init__(self, app: Callable[[Request], Answer]) -> None:
        super().__init__(app)
        self._server.RequestHandlerClass = _ChatHandler
        self.url += "/v1"

    @property
    def asked(self) -> list[Any]:
        """The JSON of all requests so far."""
        return [request.form for request in self.requests]


class _ChatHandler(_Handler):
    def do_POST(self) -> None:
        at, owner = time.monotonic(), self.server.owner
        content = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(
            "POST", self.path, {}, json.loads(content), headers, at, port=self.client_address[1]
        )
        with owner.lock:
            owner.requests.append(request)
        answer, fault = owner.answer(request)
        request.status = answer.status
        self._send(answer, fault)


@contextmanager
def llama_server(
    model: Path, context: int = 8192
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Serve a GGUF file with llama.cpp in a process of its own; yield base URL and process."""
    with TemporaryDirectory() as folder:
        told, log = Path(folder) / "address", Path(folder) / "log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-c", LLAMA, str(model), str(context), str(told)],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
            )
        try:
            while not (told.exists() and told.read_text().endswith("\n")):
                assert process.poll() is None, log.read_text(errors="replace")[-2000:]
                time.sleep(0.05)
            yield f"{told.read_text().strip()}/v1", process
        finally:
            process.kill()
            process.communicate()


def _error(status: int, message: str) -> Answer:
    return json_answer({"error": {"message": message, "code": status}}, status)
