"""Data sets as uint8 arrays, with their provenance; imports neither Keras nor TensorFlow."""

from cifar_keras.data.dataset import Dataset, Split
from cifar_keras.data.holdout import held_out
from cifar_keras.data.sources import DATASETS, load

__all__ = ["DATASETS", "Dataset", "Split", "held_out", "load"]
