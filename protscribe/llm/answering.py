"""Requests answered by a writer, each only once."""

import sys
import time
from collections.abc import Sequence

from protscribe.llm.cache import AnswerCache, answer_key
from protscribe.llm.writers import Answer, Request, Schema, Writer


def write_answers(
    batches: Sequence[Sequence[Request]], writer: Writer, schema: Schema, cache: AnswerCache
) -> dict[str, Answer]:
    """Have requests answered that were not answered before, in this run or another.

    Parameters
    ----------
    batches
        Requests that are written together, as `Writer.plan` dealt them.
    writer
        What answers.
    schema
        JSON Schema of an answer.
    cache
        Keeps every answer at once.

    Returns
    -------
    dict
        Answers by the key of their request.
    """
    keys = {r.key: answer_key(writer, r, schema) for batch in batches for r in batch}
    kept = {key: cache.load(name) for key, name in keys.items()}
    answers = {key: answer for key, answer in kept.items() if answer is not None}
    missing = [batch for batch in batches if any(r.key not in answers for r in batch)]
    print(
        f"{writer.name}: {len(keys)} prompts, {len(answers)} of them answered before",
        file=sys.stderr,
    )
    started, tokens, new, refused = time.perf_counter(), 0, 0, 0
    for request, answer in writer.write(missing, schema):
        tokens += answer.tokens or 0
        # An answer that is there stays, so that all who used it agree.
        if request.key in answers:
            continue
        answers[request.key] = answer
        cache.save(keys[request.key], answer)
        new += 1
        if answer.detail:
            refused += 1
            if refused <= 3:
                print(f"{writer.name}: refused {request.key}: {answer.detail}", file=sys.stderr)
    if answers.keys() != keys.keys():
        raise RuntimeError(f"{writer.name}: {len(keys)} prompts, {len(answers)} answers")
    seconds = time.perf_counter() - started
    print(
        f"{writer.name}: {new} answers written in {seconds:.1f} s, "
        f"{tokens / max(seconds, 1e-9):.1f} tokens a second, {refused} refused",
        file=sys.stderr,
    )
    return answers
