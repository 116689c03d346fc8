"""Products of two square matrices in float32 or bfloat16: the limit of the processor.

python -m benchmarks.peers.gemm [--torch] [--bfloat16]
"""

import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from benchmarks.peers.service import Case, serve

# Side of the matrices by case. If the processor has units for bfloat16 products, the fastest side
# depends on its caches and on the framework. Both frameworks were slower at 8192.
SIDES = {"gemm@1024": 1024, "gemm": 2048, "gemm@4096": 4096}
Product = Callable[[], object]


def main() -> None:
    """Serve the products of one framework in one precision."""
    made = _torch if "--torch" in sys.argv[1:] else _tensorflow
    dtype = "bfloat16" if "--bfloat16" in sys.argv[1:] else "float32"
    serve(lambda: _cases(*made(dtype)))


def operations(side: int) -> int:
    """Return the additions and multiplications in a product."""
    return 2 * side**3


def _cases(
    product: Callable[[int], Product], versions: dict[str, str]
) -> tuple[Mapping[str, Case], dict[str, Any]]:
    def products(side: int, count: int) -> tuple[float, int]:
        # Created for each repeat, so that it holds no memory between repeats.
        multiply = product(side)
        begin = time.perf_counter()
        for _ in range(count):
            multiply()
        return time.perf_counter() - begin, count

    cases = {case: partial(products, side) for case, side in SIDES.items()}
    return cases, {"versions": versions}


def _tensorflow(dtype: str) -> tuple[Callable[[int], Product], dict[str, str]]:
    import tensorflow as tf

    def product(side: int) -> Product:
        left, right = (tf.cast(tf.random.normal((side, side)), dtype) for _ in range(2))
        return lambda: tf.linalg.matmul(left, right)[0, 0].numpy()

    return product, {"tensorflow": tf.__version__}


def _torch(dtype: str) -> tuple[Callable[[int], Product], dict[str, str]]:
    import torch

    def product(side: int) -> Product:
        left, right = (torch.randn(side, side).to(getattr(torch, dtype)) for _ in range(2))
        return lambda: (left @ right)[0, 0].item()

    return product, {"torch": torch.__version__}


if __name__ == "__main__":
    main()
