"""The tasks of MXNet: `mxnet_tasks.py TASK QUESTION.npz REPLY.npz`."""

import mxnet as mx
import numpy as np
from layout import Arrays, answer, channels_first, prefixed, under
from mxnet_networks import NETWORKS, Net, tensor
from mxnet_operators import OPERATORS


def network(arrays: Arrays, name: str, **arguments: object) -> Arrays:
    """Return logits at test time and in training, then the gradients and statistics of training."""
    net = Net(under("weights", arrays), under("slopes", arrays))
    images, labels = _batch(arrays["images"], arrays["labels"])
    with net.counted():
        test = NETWORKS[name](net, images, **arguments)
    training = _backward(net, images, labels, name, arguments)
    gradients = {key: value / len(labels) for key, value in net.gradients().items()}
    return {
        "test": test.asnumpy(),
        "training": training.asnumpy(),
        **prefixed("gradients", gradients),
        **prefixed("after", net.values()),
    }


def steps(
    arrays: Arrays, name: str, optimizer: str, options: dict[str, float], **arguments: object
) -> Arrays:
    """Return the variables after a step on each batch, at the given learning rates if any.

    The optimizer is MXNet's of this name, with these options. Gradients are those of the sum of the
    losses, multiplied by its `rescale_grad`.
    """
    net = Net(under("weights", arrays), under("slopes", arrays))
    rule = mx.optimizer.create(optimizer, **options)
    update = mx.optimizer.get_updater(rule)
    for index, (_, variable) in enumerate(net.trainable()):
        # MXNet creates Adadelta's state in float32 for any dtype of the variable.
        state = rule.create_state(index, variable)
        update.states[index] = (
            tuple(mx.nd.zeros_like(variable) for _ in state) if optimizer == "adadelta" else state
        )
        update.states_synced[index] = True
    for step, (images, labels) in enumerate(zip(arrays["images"], arrays["labels"], strict=True)):
        if "rates" in arrays:
            rule.set_learning_rate(float(arrays["rates"][step]))
        _backward(net, *_batch(images, labels), name, arguments)
        for index, (_, variable) in enumerate(net.trainable()):
            update(index, variable.grad, variable)
    return net.values()


def _batch(images: np.ndarray, labels: np.ndarray) -> tuple[mx.nd.NDArray, mx.nd.NDArray]:
    return tensor(channels_first(images)), tensor(labels.astype(images.dtype))


def _backward(
    net: Net,
    images: mx.nd.NDArray,
    labels: mx.nd.NDArray,
    name: str,
    arguments: dict[str, object],
) -> mx.nd.NDArray:
    with mx.autograd.record():
        logits = NETWORKS[name](net, images, **arguments)
        # Its gradient is p - onehot for any incoming gradient.
        loss = mx.nd.SoftmaxOutput(logits, labels)
    loss.backward()
    return logits


if __name__ == "__main__":
    answer({"network": network, "steps": steps, **OPERATORS}, mx.__version__)
