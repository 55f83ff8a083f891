"""Answers on disk: each (prompt, schema, writer, settings, seed) is written once for all runs."""

import json
from pathlib import Path

from protscribe.atomic import atomic_path, sha256_json
from protscribe.errors import InputError
from protscribe.llm.writers import INVALID, LENGTH, STOP, Answer, Request, Schema, Writer


def answer_key(writer: Writer, request: Request, schema: Schema) -> str:
    """Return the SHA-256 of everything that an answer depends on.

    How requests are batched is no part of it: it moves the last bits of floating-point numbers,
    and an answer that is there is kept whatever came beside it.
    """
    turns = [[turn["role"], turn["content"]] for turn in request.turns]
    # A list and no dictionary: the order of the schema's keys is that of the answer.
    return sha256_json(
        [
            turns,
            json.dumps(schema),
            writer.name,
            writer.revision,
            dict(writer.settings),
            request.seed,
        ]
    )


class AnswerCache:
    """A folder with one JSON file per answer, which only grows and may be shared.

    Parameters
    ----------
    folder
        Where it is; made when the first answer is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def load(self, key: str) -> Answer | None:
        """Return the answer of this key, or None if there is none or if it is damaged."""
        try:
            facts = json.loads(self._path(key).read_bytes())
            answer = Answer(facts["text"], facts["finish_reason"], facts["tokens"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        whole = isinstance(answer.text, str) and answer.finish_reason in (STOP, LENGTH, INVALID)
        return answer if whole else None

    def save(self, key: str, answer: Answer) -> None:
        """Keep an answer, whole or not at all.

        One that was refused is not kept: it says nothing about the model, and the server may
        have been mended when it is asked for again.

        Raises
        ------
        InputError
            If the folder cannot be written or the disk is full.
        """
        if answer.text is None:
            return
        facts = {
            "finish_reason": answer.finish_reason,
            "text": answer.text,
            "tokens": answer.tokens,
        }
        try:
            with atomic_path(self._path(key)) as partial:
                partial.write_text(json.dumps(facts, ensure_ascii=False) + "\n", encoding="utf-8")
        except PermissionError as error:
            raise InputError(
                f"{error.filename}: cannot be written; answers are kept below {self.folder}"
            ) from None

    def _path(self, key: str) -> Path:
        # Two letters make 256 folders, so that none holds too many files.
        return self.folder / key[:2] / f"{key}.json"
