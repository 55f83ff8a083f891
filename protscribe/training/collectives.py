"""What processes that train together tell each other; with one process, nothing happens."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, distributed


def world() -> tuple[int, int]:
    """Return the rank of this process and the number of processes."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def gather_rows(rows: Tensor) -> Tensor:
    """Join tensors of equal shape from all processes along the rows, with gradient.

    Returns
    -------
    Tensor
        Shape (processes x rows, ...), in the order of the ranks. In the backward pass each
        process gets what the losses of all processes say about its own rows.
    """
    return rows if world()[1] == 1 else _GatherRows.apply(rows)


def sum_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace each gradient by its sum over all processes.

    One flat all-reduce of the trained parameters, always laid out alike. The buckets of
    `DistributedDataParallel` change after the first step, and with them the order of the
    sums, so that a resumed run could differ in the last bit.
    """
    if world()[1] == 1:
        return
    gradients = []
    for parameter in parameters:
        if parameter.grad is None:
            # This process had nothing to do in this step.
            parameter.grad = torch.zeros_like(parameter)
        gradients.append(parameter.grad)
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    distributed.all_reduce(flat)
    pieces = flat.split([gradient.numel() for gradient in gradients])
    for gradient, piece in zip(gradients, pieces, strict=True):
        gradient.copy_(piece.view_as(gradient))


def sum_number(number: Tensor) -> float:
    """Return the sum of a scalar over all processes."""
    total = number.detach().clone()
    if world()[1] > 1:
        distributed.all_reduce(total)
    return float(total)


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.size = len(rows)
        parts = [torch.empty_like(rows) for _ in range(world()[1])]
        distributed.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        # Every backend has all_reduce; not every one has reduce_scatter.
        total = gradients[0].contiguous()
        distributed.all_reduce(total)
        start = world()[0] * ctx.size
        return total[start : start + ctx.size]
