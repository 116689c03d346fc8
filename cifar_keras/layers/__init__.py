"""Layers that Keras lacks, or has in a slower or different form.

Importing this package registers these layers and the networks' initializers with Keras, so that
`keras.saving.load_model` can read every network of this package.
"""

import cifar_keras.initializers  # noqa: F401
from cifar_keras.layers.batch_normalization import BatchNormalization
from cifar_keras.layers.companion import Companion
from cifar_keras.layers.convolution import Conv2D
from cifar_keras.layers.dropout import Dropout, SpatialDropout2D
from cifar_keras.layers.gelu import GELU
from cifar_keras.layers.grouped_convolution import GroupedConv2D
from cifar_keras.layers.preprocessing import LikeliestName, Preprocessing
from cifar_keras.layers.rrelu import RReLU
from cifar_keras.layers.silu import SiLU
from cifar_keras.layers.whitening import Whitening

__all__ = [
    "GELU",
    "BatchNormalization",
    "Companion",
    "Conv2D",
    "Dropout",
    "GroupedConv2D",
    "LikeliestName",
    "Preprocessing",
    "RReLU",
    "SiLU",
    "SpatialDropout2D",
    "Whitening",
]
