"""Which processor a job computes on."""

from protscribe.errors import InputError


def pick_device(name: str) -> str:
    """Resolve a configured device to ``cpu`` or ``cuda``.

    Parameters
    ----------
    name
        ``auto`` (a GPU where there is one), ``cpu`` or ``cuda``.

    Raises
    ------
    InputError
        If ``cuda`` is asked for and torch sees no GPU.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "compute.device is cuda, but torch sees no GPU here; use auto or cpu, "
            "or install a CUDA build of torch"
        )
    return name
