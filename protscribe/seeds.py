"""Seeds: one number in the configuration reaches every random choice."""

import hashlib
import random

import numpy as np


def derive_seed(seed: int, *names: object) -> int:
    """Derive an independent seed for a named purpose.

    Parameters
    ----------
    seed
        The configured seed.
    names
        What the derived seed is for, e.g. ``("shuffle", epoch)``. Different names give
        unrelated seeds, so that adding a random choice does not shift the others.

    Returns
    -------
    int
        A number below 2**31.
    """
    text = "\x1f".join(str(name) for name in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def unit_hash(seed: int, key: str) -> float:
    """Map a key to a number in [0, 1) that depends on nothing but the key and the seed."""
    digest = hashlib.sha256(f"{seed}\x1f{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (all devices), and ask torch for repeatable kernels."""
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
