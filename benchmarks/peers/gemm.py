"""Products of two float32 matrices of 2048 by 2048: what the processor can do at most.

python -m benchmarks.peers.gemm [--torch]
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.peers.service import Case, serve, timed

SIDE = 2048
OPERATIONS = 2 * SIDE**3


def main() -> None:
    """Serve the products of one framework."""
    made = _torch if "--torch" in sys.argv[1:] else _tensorflow
    serve(lambda: _cases(*made()))


def _cases(
    product: Callable[[], object], versions: dict[str, str]
) -> tuple[Mapping[str, Case], dict[str, Any]]:
    def products(count: int) -> None:
        for _ in range(count):
            product()

    return {"gemm": timed(products)}, {"versions": versions}


def _tensorflow() -> tuple[Callable[[], object], dict[str, str]]:
    import tensorflow as tf

    left, right = tf.random.normal((2, SIDE, SIDE))
    return lambda: tf.linalg.matmul(left, right)[0, 0].numpy(), {"tensorflow": tf.__version__}


def _torch() -> tuple[Callable[[], object], dict[str, str]]:
    import torch

    left, right = torch.randn(2, SIDE, SIDE)
    return lambda: (left @ right)[0, 0].item(), {"torch": torch.__version__}


if __name__ == "__main__":
    main()
