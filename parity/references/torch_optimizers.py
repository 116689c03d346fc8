"""The optimizers of systems D, G and H, in PyTorch.

Each is a function of a network. It returns a function that makes one step at a learning rate, using
the gradients in the variables.
"""

from collections.abc import Callable

import torch
from torch_networks import Net

Step = Callable[[float], None]


def sgd_of_vgg(net: Net) -> Step:
    """Return system D's optimizer (train.py of chenjz13/CIFAR-10_Pytorch)."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.0, momentum=0.9, weight_decay=5e-4)
    return _stepping(optimizer, [1.0])


def sgd_of_airbench(net: Net) -> Step:
    """Return system G's optimizer for 94 % (airbench94.py), which uses the SUM of the losses.

    The learning rate is that of the network's kernels. The weight decay of a group is one number
    divided by the group's peak learning rate.
    """
    kilostep = 1024 * (1 + 1 / (1 - 0.85))
    peak, decay = 11.5 / kilostep, 0.0153 * 1024 / kilostep
    groups: dict[str, list[torch.Tensor]] = {"betas": [], "whitening bias": [], "others": []}
    for name, variable in net.variables():
        if not variable.requires_grad:
            continue
        kind = "betas" if name.endswith("/beta") else "others"
        groups["whitening bias" if name == "whitening/bias" else kind].append(variable)
    factors = [64.0, 1.0, 1.0]
    optimizer = torch.optim.SGD(
        [
            {"params": variables, "lr": factor * peak, "weight_decay": decay / (factor * peak)}
            for variables, factor in zip(groups.values(), factors, strict=True)
        ],
        momentum=0.85,
        nesterov=True,
    )
    return _stepping(optimizer, factors)


def muon_of_speedrun(net: Net) -> Step:
    """Return system H's: Muon at 0.18 times the rate, SGD at 1.38 (optim.py of NAVIER-STOKED)."""
    filters, head, others = [], [], []
    for name, variable in net.variables():
        if not variable.requires_grad:
            continue
        is_filter = variable.ndim == 4 and not name.startswith("whitening/")
        (filters if is_filter else head if name == "logits/kernel" else others).append(variable)
    optimizer = torch.optim.SGD(
        [{"params": head, "weight_decay": 5e-4}, {"params": others, "weight_decay": 0.0}],
        lr=0.0,
        momentum=0.9,
        nesterov=True,
    )
    sgd = _stepping(optimizer, [1.38, 1.38])
    buffers = [torch.zeros_like(each) for each in filters]

    @torch.no_grad()
    def step(rate: float) -> None:
        sgd(rate)
        for variable, buffer in zip(filters, buffers, strict=True):
            buffer.mul_(0.6).add_(variable.grad)
            update = variable.grad + 0.6 * buffer
            variable.mul_(len(variable) ** 0.5 / variable.norm())
            update = newton_schulz(update.reshape(len(update), -1)).view_as(variable)
            variable.sub_(0.18 * rate * update)

    return step


def newton_schulz(matrix: torch.Tensor) -> torch.Tensor:
    """Apply three quintic steps as in optim.py of NAVIER-STOKED, in the matrix's own precision."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix / matrix.norm()
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(3):
        m = x @ x.T
        x = a * x + (b * m + c * m @ m) @ x
    return x.T if tall else x


def _stepping(optimizer: torch.optim.Optimizer, factors: list[float]) -> Step:
    def step(rate: float) -> None:
        for group, factor in zip(optimizer.param_groups, factors, strict=True):
            group["lr"] = factor * rate
        optimizer.step()

    return step


OPTIMIZERS = {
    "sgd_of_vgg": sgd_of_vgg,
    "sgd_of_airbench": sgd_of_airbench,
    "muon_of_speedrun": muon_of_speedrun,
}
