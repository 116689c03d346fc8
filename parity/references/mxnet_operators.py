"""Single operators and optimizers of MXNet on small tensors."""

import mxnet as mx
import numpy as np
from layout import Arrays, channels_first, channels_last, filters_first
from mxnet_networks import pooling


def convolution(arrays: Arrays) -> Arrays:
    """Apply a 3x3 convolution with stride 2, padded by one pixel on all sides."""
    kernel = mx.nd.array(filters_first(arrays["kernel"]))
    maps = mx.nd.Convolution(
        _maps(arrays["maps"]),
        kernel,
        num_filter=kernel.shape[0],
        kernel=(3, 3),
        stride=(2, 2),
        pad=(1, 1),
        no_bias=True,
    )
    return {"maps": channels_last(maps.asnumpy())}


def pool(arrays: Arrays, kind: str, stride: int) -> Arrays:
    """Apply a pooling of system A."""
    return {"maps": channels_last(pooling(_maps(arrays["maps"]), kind, stride).asnumpy())}


def batch_norm(arrays: Arrays, epsilon: float, momentum: float) -> Arrays:
    """Apply batch norm to one batch after another; return the last gradients and the statistics."""
    channels = arrays["batches"].shape[-1]
    gamma, beta = mx.nd.array(arrays["gamma"]), mx.nd.array(arrays["beta"])
    gamma.attach_grad()
    beta.attach_grad()
    mean, variance = mx.nd.zeros(channels), mx.nd.ones(channels)
    outputs = []
    for batch in arrays["batches"]:
        x = _maps(batch)
        x.attach_grad()
        with mx.autograd.record():
            y = mx.nd.BatchNorm(
                x, gamma, beta, mean, variance, eps=epsilon, momentum=momentum, fix_gamma=False
            )
        # MXNet updates the moving statistics in the backward pass.
        y.backward(_maps(arrays["upstream"]))
        mx.nd.waitall()
        outputs.append(channels_last(y.asnumpy()))
    return {
        "outputs": np.stack(outputs),
        "input gradient": channels_last(x.grad.asnumpy()),
        "gamma gradient": gamma.grad.asnumpy(),
        "beta gradient": beta.grad.asnumpy(),
        "mean": mean.asnumpy(),
        "variance": variance.asnumpy(),
    }


def rule(arrays: Arrays, name: str, options: dict[str, float]) -> Arrays:
    """Return a vector after each step of this optimizer, for given gradients and rates."""
    optimizer = mx.optimizer.create(name, **options)
    update = mx.optimizer.get_updater(optimizer)
    vector, values = mx.nd.array(arrays["start"]), []
    for step, gradient in enumerate(arrays["gradients"]):
        if "rates" in arrays:
            optimizer.set_learning_rate(float(arrays["rates"][step]))
        update(0, mx.nd.array(gradient), vector)
        values.append(vector.asnumpy().copy())
    return {"values": np.stack(values)}


def _maps(maps: np.ndarray) -> mx.nd.NDArray:
    return mx.nd.array(channels_first(maps))


OPERATORS = {
    "convolution": convolution,
    "pool": pool,
    "batch_norm": batch_norm,
    "rule": rule,
}
