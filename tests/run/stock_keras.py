"""`fit` of stock Keras as one of two workers; prints what it raises."""

import sys

import keras
import numpy as np
import tensorflow as tf

from cifar_keras.distribute.cluster import named
from cifar_keras.distribute.devices import make_strategy

workers, index = sys.argv[1:]
with make_strategy("cpu", named(workers, int(index))).scope():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=["accuracy"])
batch = np.zeros((4, 4), np.float32), np.zeros(4, np.int32)
batches = tf.data.Dataset.from_tensors(batch).repeat()
try:
    model.fit(batches, steps_per_epoch=2, shuffle=False, verbose=0)
except Exception as error:
    print(type(error).__name__, " ".join(str(error).split())[:300])
else:
    print("trained")
