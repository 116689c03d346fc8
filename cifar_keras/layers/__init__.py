"""Layers that Keras lacks, or has in a slower or different form."""

from cifar_keras.layers.batch_normalization import BatchNormalization

__all__ = ["BatchNormalization"]
