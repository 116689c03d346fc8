"""What tf2onnx lacks of our networks' operations; importing this teaches it."""

from typing import Any

import numpy as np
from tf2onnx import utils
from tf2onnx.handler import tf_op


@tf_op("Erfc")
class Erfc:
    """The complementary error function, of which TensorFlow's exact GELU consists."""

    @classmethod
    def version_9(cls, ctx: Any, node: Any, **kwargs: Any) -> None:
        """Put `1 - Erf(x)` in its place."""
        output, shape = node.output[0], ctx.get_shape(node.output[0])
        kind = ctx.get_dtype(output)
        dtype = utils.map_onnx_to_numpy_type(kind)
        ctx.remove_node(node.name)
        one = ctx.make_const(f"{node.name}_one", np.array(1, dtype))
        erf = ctx.make_node("Erf", node.input, shapes=[shape], dtypes=[kind])
        ctx.make_node(
            "Sub",
            [one.output[0], erf.output[0]],
            name=node.name,
            outputs=[output],
            shapes=[shape],
            dtypes=[kind],
        )
