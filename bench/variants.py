"""Variants of one piece of work, measured in turn, each in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence

Found = dict[str, list[dict[str, float]]]


def in_turn(module: str, variants: Sequence[str], rounds: int, sizes: Mapping[str, int]) -> Found:
    """Return what each variant printed last, as JSON, in each round.

    Peak memory is then each one's own, and a drift of the machine's speed hits all.

    Parameters
    ----------
    module
        The program; it takes ``--variant`` and the sizes as options.
    variants
        Their names.
    rounds
        How often each has its turn.
    sizes
        Options by name.
    """
    options = [text for name, size in sizes.items() for text in (f"--{name}", str(size))]
    found: Found = {variant: [] for variant in variants}
    for _ in range(rounds):
        for variant, results in found.items():
            command = [sys.executable, "-m", module, "--variant", variant, *options]
            answer = subprocess.run(command, check=True, capture_output=True, text=True)
            results.append(json.loads(answer.stdout.splitlines()[-1]))
    return found
