"""What a writer of text is: a language model in this process, or one behind a server."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from protscribe.errors import InputError

STOP, LENGTH, REFUSED, INVALID = "stop", "length", "refused", "invalid"
"""How an answer ended: whole, cut, never given, or not JSON of the schema."""

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """One thing to be written.

    Parameters
    ----------
    key
        Name of the request among all of a job.
    turns
        ``{"role", "content"}`` records, the last one from the user.
    seed
        Seed of all random choices for this request alone.
    """

    key: str
    turns: Sequence[Mapping[str, str]]
    seed: int


@dataclass(frozen=True)
class Answer:
    """What a writer made of a request.

    Parameters
    ----------
    text
        JSON as the writer gave it, cut or wrong as it may be; None if it was refused.
    finish_reason
        `STOP`, `LENGTH`, `REFUSED` or `INVALID`.
    tokens
        Tokens of the text, without an end-of-turn; None if the writer did not say.
    detail
        Why it was refused.
    """

    text: str | None
    finish_reason: str
    tokens: int | None
    detail: str = ""


class Writer(Protocol):
    """Writes JSON of a schema."""

    @property
    def name(self) -> str:
        """Kind and name of the model."""

    @property
    def revision(self) -> str:
        """What tells one state of the model from another."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What else an answer depends on, beside the request and the schema."""

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a text, exactly or as an estimate."""

    def plan(self, requests: Sequence[Request]) -> list[list[Request]]:
        """Return the batches that are to be written together, each request in one of them.

        Raises
        ------
        InputError
            If a request alone exceeds the budget of a batch.
        """

    def write(
        self, batches: Sequence[Sequence[Request]], schema: Schema
    ) -> Iterator[tuple[Request, Answer]]:
        """Yield the answer to every request, each as soon as it is there, in any order.

        Parameters
        ----------
        batches
            Some of those that `plan` returned.
        schema
            JSON Schema of an answer. Answers that end with `STOP` satisfy it.

        Raises
        ------
        InputError
            If the writer fails for good; all answers that were there have been yielded.
        """


def finish_reason(text: str, schema: Schema, *, cut: bool) -> str:
    """Return `STOP` for JSON of the schema, else `LENGTH` if it was cut and `INVALID` if not.

    A lone surrogate (``\\ud800``), which JSON can spell and no table can hold, is invalid.
    """
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()
        if _validator(json.dumps(schema)).is_valid(value):
            return STOP
    except (ValueError, RecursionError):
        pass
    return LENGTH if cut else INVALID


@lru_cache(maxsize=8)
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(schema))


def make_writer(
    settings: Mapping[str, Any], model: Path | None, *, device: str, threads: int
) -> Writer:
    """Return the writer that a configuration asks for; only what it needs is imported.

    Parameters
    ----------
    settings
        See ``language_model`` in ``config/schema.yaml``.
    model
        Folder of the language model, for the type ``transformers``.
    device
        ``auto``, ``cpu`` or ``cuda``.
    threads
        CPU threads.

    Raises
    ------
    InputError
        If a setting is missing or cannot be.
    """
    kind = settings["type"]
    sampling = {key: settings[key] for key in ("temperature", "max_new_tokens")}
    if kind == "transformers":
        from protscribe.llm.local import LocalWriter

        if model is None:
            raise InputError("language_model.model: name a language model of models")
        return LocalWriter(
            model,
            batch_tokens=settings["batch_tokens"],
            precision=settings["precision"],
            device=device,
            threads=threads,
            **sampling,
        )
    if kind == "server":
        from protscribe.llm.server import ServerWriter

        for key in ("url", "model", "revision"):
            if not settings.get(key):
                raise InputError(f"language_model.{key}: a server needs it")
        names = ("url", "model", "revision", "concurrency", "timeout", "tries")
        return ServerWriter(**{key: settings[key] for key in names}, **sampling)
    raise InputError(f"language_model.type: {kind!r} is neither transformers nor server")
