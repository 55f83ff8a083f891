import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress

import psutil
import pytest

from conftest import HOUSE
from protscribe.driver import survivors

SNAKEFILE = """
rule slow:
    output:
        "done.txt",
    shell:
        "sleep {config[seconds]} && echo $PPID > {output}"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Snakefile").write_text(textwrap.dedent(SNAKEFILE))
    yield tmp_path
    for process in survivors(tmp_path):
        process.kill()


def start(folder, seconds):
    command = [sys.executable, "-m", "protscribe.driver", "--cores", "1"]
    environment = {**os.environ, "PYTHONPATH": str(HOUSE)}
    return subprocess.Popen(
        [*command, "--rerun-incomplete", "--config", f"seconds={seconds}"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def has_ended(process):
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_for_sleep(folder, timeout=60):
    """Return the `sleep` of a run once it is there."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        for process in survivors(folder):
            try:
                if process.name() == "sleep":
                    return process
            except psutil.Error:
                continue
        time.sleep(0.2)
    raise AssertionError("the job did not start")


@pytest.mark.slow
def test_killed_run_is_taken_up_again(folder):
    run = start(folder, 300)
    orphan = wait_for_sleep(folder)
    for process in survivors(folder):
        with suppress(psutil.Error):
            if process.name() != "sleep" and process.pid != run.pid:
                process.kill()
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert orphan.is_running() and any((folder / ".snakemake" / "locks").iterdir())
    again = start(folder, 0)
    output, _ = again.communicate(timeout=120)
    assert again.returncode == 0, output
    assert "that an earlier run left behind" in output
    assert has_ended(orphan)
    assert (folder / "done.txt").exists()


@pytest.mark.slow
def test_two_runs_at_once_are_refused_and_ctrl_c_ends_one(folder):
    run = start(folder, 300)
    wait_for_sleep(folder)
    second = start(folder, 0)
    output, _ = second.communicate(timeout=120)
    assert second.returncode == 1
    assert f"error: another run (process {run.pid}) works in {folder}" in output
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=120)
    assert run.returncode != 0
    assert survivors(folder) == []
    assert not (folder / "done.txt").exists()


@pytest.mark.slow
def test_exit_status_is_snakemakes(folder):
    (folder / "Snakefile").write_text("rule fail:\n    shell:\n        'exit 3'\n")
    run = start(folder, 0)
    run.communicate(timeout=120)
    assert run.returncode == 1
