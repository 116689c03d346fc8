"""MXNet's RReLU in 1.1.0, because in training it crashes on CPUs from 1.3 to the last version.

See apache/mxnet, issues 12894 and 14447. `mxnet_rrelu_tasks.py TASK QUESTION.npz REPLY.npz`.
"""

import mxnet as mx
from layout import Arrays, answer


def rrelu(arrays: Arrays, lower: float, upper: float, seed: int) -> Arrays:
    """Apply RReLU in training, with its gradient, and at test time."""
    mx.random.seed(seed)
    x = mx.nd.array(arrays["inputs"].reshape(1, -1))
    x.attach_grad()
    bounds = {"lower_bound": lower, "upper_bound": upper}
    with mx.autograd.record():
        y = mx.nd.LeakyReLU(x, act_type="rrelu", **bounds)
    y.backward()
    test = mx.nd.LeakyReLU(x, act_type="rrelu", **bounds)
    return {
        "training": y.asnumpy().ravel(),
        "gradient": x.grad.asnumpy().ravel(),
        "test": test.asnumpy().ravel(),
    }


if __name__ == "__main__":
    answer({"rrelu": rrelu}, mx.__version__)
