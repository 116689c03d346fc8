"""Run again, check and compare the published results of CIFAR-10 and CIFAR-100, in Keras 3."""

import os

# Both are read once, when Keras and TensorFlow are first imported. oneDNN is off by default on
# processors without AVX-512, where it makes training almost twice as fast; it changes rounding,
# so a run records whether it was on.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

__version__ = "1.0.0"
