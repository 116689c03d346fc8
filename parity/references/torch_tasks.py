"""What PyTorch is asked for: `torch_tasks.py TASK QUESTION.npz REPLY.npz`."""

import numpy as np
import torch
from layout import Arrays, answer, channels_first, prefixed, under
from torch.nn import functional
from torch_networks import NETWORKS, Net
from torch_operators import OPERATORS
from torch_optimizers import OPTIMIZERS


def network(arrays: Arrays, name: str, smoothing: float, **arguments: object) -> Arrays:
    """Logits at test and in training, and gradients and statistics after a training pass."""
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
    """The variables after a step on each batch, at the rates given.

    `reduction` is the loss's, over the batch; `trained` says for how many steps a variable is
    trained, if not for all.
    """
    _set_precision(arrays)
    net = Net(under("weights", arrays)).eval()
    # Layers are made at the first call.
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
