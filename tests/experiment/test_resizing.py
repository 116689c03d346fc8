import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.experiment.resizing import resized, resized_by_products

IMAGES = tf.constant(np.random.RandomState(0).randn(3, 32, 28, 3).astype(np.float32))


@pytest.mark.parametrize("size", [20, 24, 31, 36])
def test_products_give_what_tensorflows_own_resize_gives(size):
    np.testing.assert_allclose(
        resized_by_products(IMAGES, size), resized(IMAGES, size), rtol=0, atol=2e-6
    )


def test_xla_compiles_the_products_and_not_tensorflows_own():
    compiled = tf.function(lambda images: resized_by_products(images, 20), jit_compile=True)
    own = tf.function(lambda images: resized(images, 20), jit_compile=True)

    np.testing.assert_allclose(compiled(IMAGES), resized(IMAGES, 20), rtol=0, atol=2e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="ScaleAndTranslate"):
        own(IMAGES)
