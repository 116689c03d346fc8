"""Count a network's parameters, and its multiply-adds from its own graph."""

from math import prod

import keras
import tensorflow as tf

from cifar_keras.layers.convolution import plain_convolutions


def trainable_parameters(model: keras.Model) -> int:
    """Return the number of trainable parameters; shared ones count once."""
    return sum(prod(variable.shape) for variable in model.trainable_variables)


def multiply_adds(model: keras.Model, input_shape: tuple[int, ...]) -> int:
    """Return the multiply-adds of convolutions and matrix products in one image's forward pass.

    They are counted in the network's graph, so a layer that is applied twice counts twice. Products
    with padding count, as in published figures.
    """
    function = tf.function(lambda images: model(images, training=False), autograph=False)
    # Keras puts a grouped convolution into a separate function. Running functions eagerly inlines
    # it into ours.
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        with plain_convolutions():
            graph = function.get_concrete_function(tf.TensorSpec((1, *input_shape))).graph
    finally:
        tf.config.run_functions_eagerly(before)
    return sum(_multiply_adds(operation) for operation in graph.get_operations())


def _multiply_adds(operation: tf.Operation) -> int:
    if operation.type not in ("Conv2D", "DepthwiseConv2dNative", "MatMul", "BatchMatMulV2"):
        return 0
    outputs = operation.outputs[0].shape.num_elements()
    if operation.type == "Conv2D":
        return int(outputs * prod(operation.inputs[1].shape[:3]))
    if operation.type == "DepthwiseConv2dNative":
        return int(outputs * prod(operation.inputs[1].shape[:2]))
    return int(outputs * operation.inputs[0].shape[-1])
