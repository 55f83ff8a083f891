"""Network settings and child processes for tests against loopback servers."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from protscribe.sources.client import Network
from servers.loopback import LoopbackServer

HOUSE = Path(__file__).parents[1]


def network_for(server: LoopbackServer | str, folder: Path, **settings: Any) -> Network:
    """Return settings under which providers `site` and `ncbi` are this server, without waits."""
    url = server if isinstance(server, str) else server.url
    chosen = {
        "urls": {"site": f"{url}/api", "ncbi": f"{url}/entrez"},
        "rates": {"site": 2000.0, "ncbi": 2000.0},
        "cache": folder / "cache",
        "tries": 3,
        "backoff_seconds": 0.01,
        "read_timeout": 5.0,
    }
    return Network(**{**chosen, **settings})


def start_python(
    code: str, *arguments: object, env: dict[str, str] | None = None
) -> "subprocess.Popen[str]":
    """Start a child that runs `code` with the library, its standard streams as pipes."""
    whole = dict(os.environ if env is None else env, PYTHONPATH=str(HOUSE))
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=whole,
    )
