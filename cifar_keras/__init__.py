"""Reproduce and verify published CIFAR-10 and CIFAR-100 results, in Keras 3."""

__version__ = "1.0.0"
