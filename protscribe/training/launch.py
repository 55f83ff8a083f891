"""How every training is started: a job file, and worker processes under torchrun."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from protscribe.atomic import atomic_path, read_json, sha256_json, write_json
from protscribe.environment import prepare_children
from protscribe.errors import InputError
from protscribe.provenance import the_file, the_folder

JOB = "job.json"
ERROR = "error.json"
FINISHED = "finished"
GRACE_SECONDS = 10


@dataclass(frozen=True)
class TrainingJob:
    """Everything that a worker needs to know, as the JSON of ``job.json``.

    Parameters
    ----------
    stage
        ``align`` or ``tune``.
    system_name
        The system's name.
    system
        The system's settings with every key present.
    training_seed
        Seed of initial weights, order and dropout.
    inputs
        Paths, of which each objective needs its own. ``store``: folder of the embeddings.
        ``proteins``: table of proteins. ``conversations`` and ``documents``: lists of tables.
        ``texts``: table of text vectors. ``language_model``: folder. ``weights``: what
        alignment trained.
    state
        Folder for unfinished work, of this very job alone; removed at the end.
    output
        The stage's folder ``systems/SYSTEM/SEED/STAGE``; tuning also writes its sibling
        ``model``.
    torch_threads
        CPU threads of each process.
    save_seconds
        Time between two savings of the state to resume from.
    """

    stage: str
    system_name: str
    system: dict[str, Any]
    training_seed: int
    inputs: dict[str, Any]
    state: str
    output: str
    torch_threads: int
    save_seconds: float = 60.0

    @property
    def settings(self) -> dict[str, Any]:
        """The stage's part of the system's settings."""
        return self.system[self.stage]

    @property
    def key(self) -> str:
        """Hash of what decides the result, apart from the contents of the inputs."""
        return sha256_json([self.stage, self.system_name, self.system, self.training_seed])

    @classmethod
    def read(cls, path: Path | str) -> "TrainingJob":
        """Read a job file."""
        return cls(**read_json(path))


def training_inputs(files: Any) -> dict[str, Any]:
    """Return the inputs of a training rule as a job names them.

    Parameters
    ----------
    files
        The rule's named inputs, a mapping that may lack some of them or hold empty ones.
        ``store`` and ``language_model`` are manifests, which stand for their folders.
    """
    inputs: dict[str, Any] = {}
    for name in ("store", "language_model"):
        if (folder := the_folder(files.get(name))) is not None:
            inputs[name] = str(folder)
    for name in ("proteins", "texts", "weights"):
        if (file := the_file(files.get(name))) is not None:
            inputs[name] = str(file)
    for name in ("conversations", "documents"):
        if tables := files.get(name):
            inputs[name] = [tables] if isinstance(tables, str) else [str(path) for path in tables]
    return inputs


def run_training(job: TrainingJob, *, processes: int, device: str) -> None:
    """Train, or go on with a training that was killed, and put the result in its place.

    Parameters
    ----------
    job
        What to train.
    processes
        Number of processes; on GPUs, one each.
    device
        ``cpu`` or ``cuda``.

    Raises
    ------
    InputError
        What was wrong with the inputs, in the worker's own words.
    RuntimeError
        If the workers ended otherwise; their output says why.
    """
    state = Path(job.state)
    finished = state / FINISHED
    if not finished.is_dir():
        state.mkdir(parents=True, exist_ok=True)
        # Plain numbers and texts only, whatever mapping the caller had the settings in.
        write_json(state / JOB, json.loads(json.dumps(asdict(job))))
        (state / ERROR).unlink(missing_ok=True)
        status = _run_workers(job, processes, device)
        if (state / ERROR).exists():
            raise InputError(f"{job.stage} {job.system_name}: {read_json(state / ERROR)}")
        if status != 0 or not finished.is_dir():
            raise RuntimeError(f"{job.stage}: the training processes ended with status {status}")
    _move(finished, Path(job.output).parent)
    shutil.rmtree(state)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, however that happens.

    Without it a killed launcher leaves workers behind that go on writing. Linux only.
    """
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def _run_workers(job: TrainingJob, processes: int, device: str) -> int:
    prepare_children()
    environment = os.environ | {
        "OMP_NUM_THREADS": str(job.torch_threads),
        # cuBLAS sums in a fixed order only with a workspace of its own.
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--local-addr", "127.0.0.1", "--nproc-per-node", str(processes)]
    command += ["-m", "protscribe.training.worker", str(Path(job.state) / JOB), device]
    process = subprocess.Popen(
        command, env=environment, start_new_session=True, preexec_fn=die_with_parent
    )
    try:
        return process.wait()
    except BaseException:
        # torchrun hands the signal on to its workers, which have sessions of their own.
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        raise


def _move(finished: Path, target: Path) -> None:
    # Files that say that a folder is whole go last.
    last = {"summary.json": 1, "system.json": 2}
    files = [path for path in finished.rglob("*") if path.is_file()]
    for path in sorted(files, key=lambda path: (last.get(path.name, 0), path)):
        with atomic_path(target / path.relative_to(finished)) as partial:
            shutil.copyfile(path, partial)
