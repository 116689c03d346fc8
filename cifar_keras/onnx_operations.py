"""Converters for operations that tf2onnx lacks; importing this module registers them."""

from typing import Any

import numpy as np
from tf2onnx import utils
from tf2onnx.handler import tf_op


@tf_op("Erfc")
class Erfc:
    """The complementary error function, which TensorFlow's exact GELU uses."""

    @classmethod
    def version_9(cls, ctx: Any, node: Any, **kwargs: Any) -> None:
        """Replace it by `1 - Erf(x)`."""
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
