"""Pairs a minute of each way to have questions written, and how much of it fails at once.

Run as

    python -m bench.qa.writing WORK [--model FOLDER] [--tables FOLDER] [--contexts 24]
        [--new-tokens 150] [--rounds 2] [--gguf FILE]

FOLDER of the model is as `get_model` leaves it, that of the tables holds ``contexts.parquet`` and
``proteins.parquet`` of a finished run. All ways write from the same contexts with the same prompt
and schema, greedily; WORK keeps what they wrote, as JSON lines.

Naive is one prompt at a time, as the published pipeline was run. Ours writes batches of growing
token budgets. With a GGUF file, the same is asked of a llama.cpp server on this machine with
1, 2 and 4 requests under way. Each way runs in a process of its own, in turn with its rivals, so
that peak memory is its own and a drift of the machine's speed hits all. Loading the model is left
out of the time.

A pair counts if its answer is whole JSON; it is quoted if its evidence stands in the text. The
filters reject far more than that; their own table says how much.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from protscribe.corpora.qa.instructions import answer_schema, writing_turns
from protscribe.llm.writers import STOP, Request, Writer, make_writer
from protscribe.seeds import unit_hash
from protscribe.tables import read_table

MAX_QUESTIONS = 3
LONGEST = 2000
"""Characters of a text; longer ones are left out, so that every budget holds every prompt."""
LOCAL = {"one at a time": None, "batches of 2048": 2048, "4096": 4096, "8192": 8192}
SERVED = {"llama.cpp, 1 request": 1, "2 requests": 2, "4 requests": 4}
SERVER = """
import pathlib, sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_parallel = int(sys.argv[2])
params.n_ctx = 2048 * params.n_parallel
params.cpuparams.n_threads = int(sys.argv[3])
params.port = 0
server = xllamacpp.Server(params)
pathlib.Path(sys.argv[4]).write_text(server.listening_address + chr(10))
sys.stdin.read()
"""


def read_requests(tables: Path, count: int) -> tuple[list[Request], dict[str, str]]:
    """Return so many requests, drawn with a fixed seed, and the text of each."""
    columns = ["accession", "protein_name", "alternative_names", "gene_names", "organism"]
    table = read_table(tables / "proteins.parquet", "proteins", [*columns, "keywords", "ec"])
    proteins = {row["accession"]: row for row in table.to_pylist()}
    contexts = read_table(tables / "contexts.parquet", "contexts").to_pylist()
    contexts = [row for row in contexts if len(row["text"]) <= LONGEST]
    # Abstracts first, as they are what is written from.
    contexts.sort(key=lambda row: (row["context"] != "abstract", unit_hash(0, row["id"])))
    requests = [
        Request(row["id"], writing_turns(proteins[row["accession"]], row["text"], MAX_QUESTIONS), 0)
        for row in contexts[:count]
    ]
    return requests, {row["id"]: row["text"] for row in contexts[:count]}


@contextmanager
def served(gguf: Path, parallel: int, threads: int, told: Path) -> Iterator[str]:
    """Serve a GGUF file with llama.cpp; yield the base URL."""
    told.unlink(missing_ok=True)
    command = [sys.executable, "-c", SERVER, str(gguf), str(parallel), str(threads), str(told)]
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet)
    try:
        while not (told.exists() and told.read_text().endswith("\n")):
            if server.poll() is not None:
                raise SystemExit(f"llama.cpp ended with status {server.returncode}")
            time.sleep(0.1)
        yield f"{told.read_text().strip()}/v1"
    finally:
        server.kill()
        server.communicate()


def measure(way: str, options: argparse.Namespace) -> dict[str, float]:
    """Write in one way; return rates, shares and peak memory in MB."""
    requests, texts = read_requests(options.tables, options.contexts)
    settings: dict[str, Any] = {"temperature": 0.0, "max_new_tokens": options.new_tokens}
    if way in LOCAL:
        settings |= {"type": "transformers", "batch_tokens": LOCAL[way] or 8192}
        settings["precision"] = "float32"
        writer = make_writer(settings, options.model, device="cpu", threads=options.threads)
        # Loaded, and warm: the first run of a shape allocates.
        list(writer.write([requests[:1]], answer_schema(1)))
        batches = [[request] for request in requests]
        return timed(writer, writer.plan(requests) if LOCAL[way] else batches, texts, way, options)
    with served(options.gguf, SERVED[way], options.threads, options.work / "address") as url:
        settings |= {"type": "server", "url": url, "model": "bench", "revision": "bench"}
        settings |= {"concurrency": SERVED[way], "timeout": 600, "tries": 1}
        writer = make_writer(settings, None, device="cpu", threads=options.threads)
        list(writer.write([requests[:1]], answer_schema(1)))
        return timed(writer, writer.plan(requests), texts, way, options)


def timed(
    writer: Writer,
    batches: Sequence[Sequence[Request]],
    texts: Mapping[str, str],
    way: str,
    options: argparse.Namespace,
) -> dict[str, float]:
    """Write some batches against the clock."""
    start = time.perf_counter()
    answers = {r.key: a for r, a in writer.write(batches, answer_schema(MAX_QUESTIONS))}
    seconds = time.perf_counter() - start
    with (options.work / f"{way.replace(' ', '_')}.jsonl").open("w", encoding="utf-8") as file:
        for key, answer in sorted(answers.items()):
            row = {"context": key, "answer": answer.text, "ended": answer.finish_reason}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    pairs = [
        (pair, texts[key])
        for key, answer in answers.items()
        if answer.finish_reason == STOP
        for pair in json.loads(answer.text or "")["pairs"]
    ]
    whole = sum(answer.finish_reason == STOP for answer in answers.values())
    tokens = sum(answer.tokens or 0 for answer in answers.values())
    return {
        "answers": 60 * len(answers) / seconds,
        "pairs": 60 * len(pairs) / seconds,
        "tokens": tokens / seconds,
        "broken": 1 - whole / len(answers),
        "unquoted": sum(p["evidence"] not in text for p, text in pairs) / max(len(pairs), 1),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Measure all ways in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, help="folder for what is written")
    parser.add_argument("--model", type=Path, default=Path("resources/models/smollm2_135m"))
    parser.add_argument("--tables", type=Path, default=Path("results/tables"))
    parser.add_argument("--contexts", type=int, default=24, help="contexts to write from")
    parser.add_argument("--new-tokens", type=int, default=150, help="most tokens of an answer")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each way")
    parser.add_argument("--gguf", type=Path, help="a GGUF file to serve as well")
    parser.add_argument("--way", choices=[*LOCAL, *SERVED], help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.way:
        print(json.dumps(measure(options.way, options)))
        return
    ways = [*LOCAL, *(SERVED if options.gguf else ())]
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(options.rounds):
        for way, results in found.items():
            command = [sys.executable, "-m", "bench.qa.writing", *sys.argv[1:], "--way", way]
            answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            results.append(json.loads(answer.stdout.splitlines()[-1]))
    print("| way | answers/min | pairs/min | tokens/s | broken | unquoted | memory MB |")
    print("|---|---|---|---|---|---|---|")
    for way, results in found.items():
        m = {key: statistics.median(result[key] for result in results) for key in results[0]}
        rates = f"{m['answers']:.1f} | {m['pairs']:.1f} | {m['tokens']:.1f}"
        print(f"| {way} | {rates} | {m['broken']:.0%} | {m['unquoted']:.0%} | {m['memory']:.0f} |")


if __name__ == "__main__":
    main()
