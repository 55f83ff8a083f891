"""Writing with a language model behind any OpenAI-compatible server (vLLM, llama.cpp, ...)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any
from urllib.parse import urlsplit

from protscribe.errors import InputError
from protscribe.llm.chat import KEY_VARIABLE, ChatClient
from protscribe.llm.writers import INVALID, REFUSED, Answer, Request, Schema, finish_reason
from protscribe.seeds import derive_seed

INVALID_TRIES = 3
"""How often an answer that is not JSON of the schema is asked for, each time with another seed."""

BYTES_PER_TOKEN = 4
"""Of English text, about; the server's own tokenizer is out of reach."""

# What opens and closes turns in the chat templates of the field. The server tokenises the whole
# conversation as one text, in which a token spelled out by a content would count as the real one.
_CONTROL = re.compile(
    r"<(?=[|｜])|<(?=/?(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn)>)|<(?=</?SYS>>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])"
)


class ServerWriter:
    """A chat model behind an OpenAI-compatible server.

    Requests run side by side and answers come as they finish. The schema goes along as
    ``response_format``; servers may ignore it, so every answer is checked here and asked for
    again if need be.

    Parameters
    ----------
    url
        Base URL, such as ``http://host:8000/v1``.
    model
        What the server calls the model.
    revision
        What tells this state of the model from others; the server cannot be asked.
    temperature
        0 asks for the likeliest token.
    max_new_tokens
        Most tokens of an answer.
    concurrency
        Requests under way at the same time.
    timeout, tries, backoff
        As for `protscribe.llm.chat.ChatClient`.

    Raises
    ------
    InputError
        If a setting cannot be.
    """

    def __init__(
        self,
        *,
        url: str,
        model: str,
        revision: str,
        temperature: float,
        max_new_tokens: int,
        concurrency: int = 16,
        timeout: float = 120.0,
        tries: int = 5,
        backoff: float = 1.0,
    ) -> None:
        _check_url(url)
        least = {"concurrency": concurrency, "tries": tries, "max_new_tokens": max_new_tokens}
        for setting, value in least.items():
            if value < 1:
                raise InputError(f"language_model.{setting}: {value} is below 1")
        if not timeout > 0 or not temperature >= 0:
            raise InputError("language_model: timeout must be above 0 and temperature not below it")
        self.url = url.rstrip("/")
        self.model = model
        self.name = f"server/{model}"
        self.revision = str(revision)
        self.settings: Mapping[str, Any] = {
            "temperature": float(temperature),
            "max_new_tokens": max_new_tokens,
        }
        self.concurrency = concurrency
        self.timeout, self.tries, self.backoff = timeout, tries, backoff

    def count_tokens(self, text: str) -> int:
        """Return an estimate from the text's UTF-8 bytes."""
        return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)

    def plan(self, requests: Sequence[Request]) -> list[list[Request]]:
        """Return every request by itself: the server makes batches of its own."""
        return [[request] for request in requests]

    def write(
        self, batches: Sequence[Sequence[Request]], schema: Schema
    ) -> Iterator[tuple[Request, Answer]]:
        """Yield each answer as it comes.

        Raises
        ------
        InputError
            If the server stays dead, does not let us in, or is no such server.
        """
        client = ChatClient(
            self.url,
            connections=self.concurrency,
            timeout=self.timeout,
            tries=self.tries,
            backoff=self.backoff,
        )
        under_way: dict[Future[Answer], Request] = {}
        with ThreadPoolExecutor(self.concurrency) as pool:
            try:
                for request in (request for batch in batches for request in batch):
                    under_way[pool.submit(self._ask, client, request, schema)] = request
                    if len(under_way) >= 2 * self.concurrency:
                        yield from _finished(under_way, client)
                while under_way:
                    yield from _finished(under_way, client)
            finally:
                client.stopped.set()
                pool.shutdown(cancel_futures=True)
                client.close()

    def _ask(self, client: ChatClient, request: Request, schema: Schema) -> Answer:
        messages = [
            {"role": turn["role"], "content": without_control(turn["content"])}
            for turn in request.turns
        ]
        form = {"name": "answer", "schema": dict(schema), "strict": True}
        for number in range(INVALID_TRIES):
            completion = client.complete(
                {
                    "model": self.model,
                    "messages": messages,
                    "temperature": self.settings["temperature"],
                    "seed": derive_seed(request.seed, "again", number) if number else request.seed,
                    "max_tokens": self.settings["max_new_tokens"],
                    "response_format": {"type": "json_schema", "json_schema": form},
                }
            )
            if completion.text is None:
                return Answer(None, REFUSED, 0, completion.detail)
            reason = finish_reason(completion.text, schema, cut=completion.cut)
            if reason != INVALID:
                break
        return Answer(completion.text, reason, completion.tokens)


def without_control(text: str) -> str:
    """Return a text in which no chat template's control token is spelled out.

    A blank behind its first character leaves it readable: ``<|im_end|>`` becomes
    ``< |im_end|>``.
    """
    return _CONTROL.sub(lambda found: found.group(0) + " ", text)


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise InputError(
            "language_model.url: give host and path alone; a key belongs into the environment "
            f"variable {KEY_VARIABLE}"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"language_model.url: {url!r} is not an http(s) address")


def _finished(
    under_way: dict[Future[Answer], Request], client: ChatClient
) -> Iterator[tuple[Request, Answer]]:
    """Take what has finished; after a failure, all else that is there before it is raised."""
    done, _ = wait(under_way, return_when=FIRST_COMPLETED)
    failure = next((error for task in done if (error := task.exception()) is not None), None)
    if failure is not None:
        client.stopped.set()
        for task in under_way:
            task.cancel()
        done, _ = wait(under_way)
    for task in done:
        request = under_way.pop(task)
        if not task.cancelled() and task.exception() is None:
            yield request, task.result()
    if failure is not None:
        raise failure
