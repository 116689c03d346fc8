"""Single operators and optimizers of PyTorch on small tensors."""

import numpy as np
import torch
from layout import Arrays, channels_first, channels_last, filters_first
from torch import nn
from torch.nn import functional


def convolution(arrays: Arrays, stride: int, padding: int | str) -> Arrays:
    """Apply a convolution without bias."""
    kernel = torch.from_numpy(filters_first(arrays["kernel"]))
    maps = functional.conv2d(_maps(arrays["maps"]), kernel, stride=stride, padding=padding)
    return {"maps": channels_last(maps.numpy())}


def average_pool(arrays: Arrays) -> Arrays:
    """Apply 3x3 average pooling with stride 1, without counting the padding."""
    maps = functional.avg_pool2d(_maps(arrays["maps"]), 3, 1, 1, count_include_pad=False)
    return {"maps": channels_last(maps.numpy())}


def batch_norm(arrays: Arrays, epsilon: float, momentum: float) -> Arrays:
    """Apply batch norm to one batch after another; return the last gradients and the statistics.

    `momentum` is PyTorch's, the weight of the new statistic.
    """
    layer = nn.BatchNorm2d(arrays["batches"].shape[-1], epsilon, momentum)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(arrays["gamma"]))
        layer.bias.copy_(torch.from_numpy(arrays["beta"]))
    outputs = []
    for batch in arrays["batches"]:
        layer.zero_grad()
        x = _maps(batch).requires_grad_()
        y = layer(x)
        y.backward(_maps(arrays["upstream"]))
        outputs.append(channels_last(y.detach().numpy()))
    return {
        "outputs": np.stack(outputs),
        "input gradient": channels_last(x.grad.numpy()),
        "gamma gradient": layer.weight.grad.numpy(),
        "beta gradient": layer.bias.grad.numpy(),
        "mean": layer.running_mean.numpy(),
        "variance": layer.running_var.numpy(),
    }


def rule(arrays: Arrays, momentum: float, nesterov: bool, decay: float) -> Arrays:
    """Return a vector after each step of `torch.optim.SGD`, for given gradients and rates."""
    vector = nn.Parameter(torch.from_numpy(arrays["start"]))
    optimizer = torch.optim.SGD([vector], momentum=momentum, nesterov=nesterov, weight_decay=decay)
    values = []
    for gradient, rate in zip(arrays["gradients"], arrays["rates"], strict=True):
        optimizer.param_groups[0]["lr"] = float(rate)
        vector.grad = torch.from_numpy(gradient)
        optimizer.step()
        values.append(vector.detach().numpy().copy())
    return {"values": np.stack(values)}


def rrelu(arrays: Arrays, lower: float, upper: float, seed: int) -> Arrays:
    """Apply RReLU in training, with its gradient, and at test time."""
    torch.manual_seed(seed)
    layer = nn.RReLU(lower, upper)
    x = torch.from_numpy(arrays["inputs"]).requires_grad_()
    y = layer(x)
    y.sum().backward()
    return {
        "training": y.detach().numpy(),
        "gradient": x.grad.numpy(),
        "test": layer.eval()(x).detach().numpy(),
    }


def resize(arrays: Arrays, size: int) -> Arrays:
    """Resize images with antialiasing."""
    images = functional.interpolate(
        _maps(arrays["images"]),
        (size, size),
        mode="bilinear",
        antialias=True,
        align_corners=False,
    )
    return {"images": channels_last(images.numpy())}


def cross_entropy(arrays: Arrays, smoothing: float) -> Arrays:
    """Return the mean loss and its gradient."""
    logits = torch.from_numpy(arrays["logits"]).requires_grad_()
    loss = nn.CrossEntropyLoss(label_smoothing=smoothing)(
        logits, torch.from_numpy(arrays["labels"])
    )
    loss.backward()
    return {"loss": loss.detach().numpy(), "gradient": logits.grad.numpy()}


def activation(arrays: Arrays, name: str) -> Arrays:
    """Apply `gelu` (the exact form, PyTorch's default) or `silu`, with its gradient."""
    x = torch.from_numpy(arrays["inputs"]).requires_grad_()
    y = getattr(functional, name)(x)
    y.sum().backward()
    return {"outputs": y.detach().numpy(), "gradient": x.grad.numpy()}


def _maps(maps: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(channels_first(maps))


OPERATORS = {
    "convolution": convolution,
    "average_pool": average_pool,
    "batch_norm": batch_norm,
    "rule": rule,
    "rrelu": rrelu,
    "resize": resize,
    "cross_entropy": cross_entropy,
    "activation": activation,
}
