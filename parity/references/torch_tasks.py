"""The tasks of PyTorch: `torch_tasks.py TASK QUESTION.npz REPLY.npz`."""

import numpy as np
import torch
from layout import Arrays, answer, channels_first, prefixed, under
from torch.nn import functional
from torch_networks import NETWORKS, Net
from torch_operators import OPERATORS
from torch_optimizers import OPTIMIZERS


def network(arrays: Arrays, name: str, smoothing: float, **arguments: object) -> Arrays:
    """Return logits at test time and in training, then the gradients and statistics of training."""
    _set_precision(arrays)
    net = Net(under("weights", arrays)).eval()
    images = _images(arrays["images"])
    with net.counted(), torch.no_grad():
        test = NETWORKS[name](net, images, **arguments)
    training = NETWORKS[name](net.train(), images, **arguments)
    labels = torch.from_numpy(arrays["labels"])
    functional.cross_entropy(training, labels, label_smoothing=smoothing).backward()
    return {
        "test": test.numpy(),
        "training": training.detach().numpy(),
        **prefixed("gradients", net.gradients()),
        **prefixed("after", net.values()),
    }


def steps(
    arrays: Arrays,
    name: str,
    optimizer: str,
    smoothing: float,
    reduction: str,
    trained: dict[str, int],
    **arguments: object,
) -> Arrays:
    """Return the variables after a step on each batch, at the given learning rates.

    `reduction` is that of the loss over the batch. `trained` gives the number of steps for
    variables that are not trained in all steps.
    """
    _set_precision(arrays)
    net = Net(under("weights", arrays)).eval()
    # The first call creates the layers.
    NETWORKS[name](net, _images(arrays["images"][0]), **arguments)
    step = OPTIMIZERS[optimizer](net.train())
    for number, (images, labels, rate) in enumerate(
        zip(arrays["images"], arrays["labels"], arrays["rates"], strict=True)
    ):
        for key, variable in net.variables():
            if trained.get(key) == number:
                variable.requires_grad_(False)
        net.zero_grad()
        logits = NETWORKS[name](net, _images(images), **arguments)
        functional.cross_entropy(
            logits, torch.from_numpy(labels), reduction=reduction, label_smoothing=smoothing
        ).backward()
        step(float(rate))
    return net.values()


def _set_precision(arrays: Arrays) -> None:
    torch.set_default_dtype(torch.from_numpy(arrays["images"]).dtype)


def _images(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(channels_first(images))


if __name__ == "__main__":
    answer({"network": network, "steps": steps, **OPERATORS}, torch.__version__)
