"""The shared request rate with eight processes, measured from the server's own log.

Run as

    python -m bench.sources.limiter [--rates 2.5 9 40] [--processes 8] [--seconds 20]

A server on loopback notes when each request arrives. Processes that share nothing but the
limiter's file ask it as often as they may. For each rate: how many requests a second arrived,
what part of the allowed rate was lost, the most in any one second, and the smallest distance
between two, as part of the distance that even slots have.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from bisect import bisect_left
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from tqdm import tqdm

from protscribe.sources.client import Client, Network

PROVIDER = "site"


class Server(ThreadingHTTPServer):
    """Answers everything with a few bytes and notes when it was asked."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.arrivals: list[float] = []

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Notes the time before anything else."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer with two bytes."""
        self.server.arrivals.append(time.monotonic())
        self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def ask(url: str, rate: float, folder: Path) -> None:
    """Ask as often as the limiter allows, until the parent closes our input."""
    closed = threading.Event()
    with Client(Network({PROVIDER: url}, {PROVIDER: rate}, folder)) as client:
        print("ready", flush=True)
        sys.stdin.readline()
        threading.Thread(target=lambda: (sys.stdin.read(), closed.set()), daemon=True).start()
        while not closed.is_set():
            client.get(PROVIDER, "a", use_cache=False)


def measure(rate: float, processes: int, seconds: float) -> list[float]:
    """Return when requests arrived while all processes were asking."""
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.sources.limiter", "--ask"]
        command.append(json.dumps([server.url, rate, folder]))
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        children = [subprocess.Popen(command, **pipes) for _ in range(processes)]
        for child in children:
            child.stdout.readline()
        for child in children:
            child.stdin.write("go\n")
            child.stdin.flush()
        time.sleep(seconds)
        arrivals = list(server.arrivals)
        for child in children:
            child.stdin.close()
        for child in children:
            child.wait()
    server.shutdown()
    server.server_close()
    return arrivals


def main() -> None:
    """Measure each rate and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rates", type=float, nargs="+", default=[2.5, 9, 40])
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20, help="per rate")
    parser.add_argument("--ask", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        url, rate, folder = json.loads(options.ask)
        ask(url, rate, Path(folder))
        return
    rows = []
    for rate in tqdm(options.rates, mininterval=5):
        times = measure(rate, options.processes, options.seconds)
        kept = (len(times) - 1) / (times[-1] - times[0])
        most = max(bisect_left(times, at + 1.0) - number for number, at in enumerate(times))
        closest = min(later - sooner for sooner, later in pairwise(times)) * rate
        rows.append(
            f"| {rate:g} | {len(times)} | {kept:.2f} | {1 - kept / rate:.1%} | {most} "
            f"| {closest:.0%} |"
        )
    print("| allowed per s | requests | measured per s | lost | most in 1 s | closest two |")
    print("|---|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
