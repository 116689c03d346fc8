"""Layers that Keras lacks, or has in a slower or different form."""

from cifar_keras.layers.batch_normalization import BatchNormalization
from cifar_keras.layers.convolution import Conv2D
from cifar_keras.layers.dropout import Dropout, SpatialDropout2D
from cifar_keras.layers.gelu import GELU
from cifar_keras.layers.rrelu import RReLU
from cifar_keras.layers.silu import SiLU
from cifar_keras.layers.whitening import Whitening

__all__ = [
    "GELU",
    "BatchNormalization",
    "Conv2D",
    "Dropout",
    "RReLU",
    "SiLU",
    "SpatialDropout2D",
    "Whitening",
]
