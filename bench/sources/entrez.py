"""Abstracts fetched by parallel jobs from a local stand-in for E-utilities, at a given rate.

Run as

    python -m bench.sources.entrez [--abstracts 100000] [--jobs 8] [--rate 9]

A server in a process of its own serves made-up records of the size of PubMed's (titles of about
100 and abstracts of about 1,500 characters) and keeps the time of every request. The jobs are
processes that share one folder of answers and nothing else, each with its part of the ids, as
parallel jobs of a workflow are. Afterwards the server's times tell whether any second saw more
requests than NCBI allows at that rate (the next whole number), and what the limiter lost of the
rate between the first and the last request.
"""

import argparse
import json
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

HOUSE = Path(__file__).parents[2]
sys.path.insert(0, str(HOUSE / "tests"))

from helpers_entrez import write_candidates  # noqa: E402
from protscribe.atomic import read_json  # noqa: E402
from pubmed_records import make_article  # noqa: E402
from servers.eutils import Eutils, most_in_a_second  # noqa: E402
from servers.loopback import LoopbackServer  # noqa: E402

JOB = """
import resource, sys
from pathlib import Path
from protscribe.sources.client import Network
from protscribe.sources.literature.retrieval import fetch_publications
candidates, folder, run = map(Path, sys.argv[1:])
fetch_publications(candidates, folder, run / "fetched.json", run / "rejects.parquet",
                   network=Network.from_environment())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
WORDS = ("the", "protein", "binds", "zinc", "and", "regulates", "genes", "of", "human", "cells")


def make_records(count: int) -> dict[str, str]:
    """Return so many made-up records."""
    rng = random.Random(0)
    texts = [" ".join(rng.choices(WORDS, k=240)) for _ in range(500)]
    return {
        str(number): make_article(
            number,
            f"Title {number}: {texts[number % 499][:90]}",
            f"{texts[number % 500]} {number}.",
            doi=f"10.1234/{number}",
            mesh=["Humans", "Zinc", "Transcription Factors"],
        )
        for number in range(1, count + 1)
    }


def serve(count: int, allowed: int, pipe: Connection) -> None:
    """Serve until told to stop, then send the times of all requests and the refusals."""
    app = Eutils(make_records(count), rate=allowed)
    with LoopbackServer(app) as server:
        pipe.send(server.url)
        pipe.recv()
        asked = [request.form["id"].count(",") + 1 for request in server.requests]
        pipe.send(([request.at for request in server.requests], sum(asked), app.refused))


def main() -> None:
    """Fetch, and print what the server saw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--abstracts", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--rate", type=float, default=9.0, help="requests a second")
    options = parser.parse_args()
    allowed = int(options.rate) + 1
    pipe, end = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(options.abstracts, allowed, end))
    server.start()
    with tempfile.TemporaryDirectory() as name:
        url, folder = pipe.recv(), Path(name)
        settings = {"urls": {"ncbi": url}, "rates": {"ncbi": options.rate}, "cache": f"{name}/http"}
        environment = {
            **os.environ,
            "NCBI_EMAIL": "bench@protein-lab.org",
            "NCBI_API_KEY": "",
            "PROTSCRIBE_NETWORK": json.dumps(settings),
            "PYTHONPATH": str(HOUSE),
        }
        started = time.monotonic()
        jobs = []
        for job in range(options.jobs):
            ids = [str(number) for number in range(job + 1, options.abstracts + 1, options.jobs)]
            run = folder / str(job)
            candidates = write_candidates(run / "candidates.parquet", ids)
            command = [sys.executable, "-c", JOB, candidates, folder / "pubmed", run]
            jobs.append(
                subprocess.Popen(
                    command,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=(run / "log").open("w"),
                    text=True,
                )
            )
        memory = [int(job.communicate()[0] or 0) for job in jobs]
        seconds = time.monotonic() - started
        assert all(job.returncode == 0 for job in jobs), (folder / "0" / "log").read_text()
        pipe.send("stop")
        times, records, refused = pipe.recv()
        server.join()
        wanted = [
            len(read_json(folder / str(job) / "fetched.json")["wanted"])
            for job in range(options.jobs)
        ]
        size = sum(path.stat().st_size for path in (folder / "pubmed").glob("*.gz"))
    times.sort()
    most = most_in_a_second(times)
    achieved = (len(times) - 1) / (times[-1] - times[0])
    print("| abstracts | requests | seconds | requests/s | most in a second | refused | loss |")
    print("|---|---|---|---|---|---|---|")
    print(
        f"| {sum(wanted):,} | {len(times)} | {seconds:.0f} | {achieved:.2f} of {options.rate:g} "
        f"| {most} of {allowed} | {refused} | {1 - achieved / options.rate:.1%} |"
    )
    print(
        f"\n{options.jobs} jobs, at most {max(memory)} MB each; answers kept: {size / 1e6:.0f} MB; "
        f"CPU of the jobs: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime:.0f} s, server "
        "included"
    )
    assert sum(wanted) == records == options.abstracts
    assert refused == 0
    assert most <= allowed
    assert achieved <= options.rate * 1.005
    assert achieved >= options.rate * 0.95


if __name__ == "__main__":
    main()
