"""Images and labels blended with those of a partner in the batch."""

from dataclasses import dataclass, replace
from typing import Annotated

import tensorflow as tf
from pydantic import Field

from cifar_keras.data.augment.batch import Batch, Transform
from cifar_keras.data.streams import fold

# Below 0.1, two gamma variates are sometimes both 0 in float32, and every long run hits 0 / 0.
Alpha = Annotated[float, Field(ge=0.1)]


@dataclass(frozen=True)
class MixUp(Transform):
    """Blends each image and its label with those of a partner, by a random fraction per image.

    This is keras-cv's rule; the paper draws one fraction for the whole batch.

    Args:
        alpha: fractions are drawn from Beta(alpha, alpha).

    Reference:
        Zhang et al. 2017, arXiv 1710.09412.
    """

    alpha: Alpha
    mixes = True

    def __call__(self, batch: Batch, key: tf.Tensor) -> Batch:
        partners, share = partners_and_shares(batch.size, self.alpha, key)
        labels = batch.one_hot_labels()
        own = share[:, None]
        labels = own * labels + (1.0 - own) * tf.gather(labels, partners)
        own = own[..., None, None]
        images = own * batch.images + (1.0 - own) * tf.gather(batch.images, partners)
        return replace(batch, images=images, labels=labels)


def partners_and_shares(
    size: tf.Tensor, alpha: float, key: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return a permutation of the batch, int32 (B,), and numbers from Beta(alpha, alpha), (B,)."""
    order, one, other = (fold(key, place) for place in (1, 2, 3))
    shuffle = tf.random.experimental.stateless_shuffle
    partners = shuffle(tf.range(size), order, alg="philox")
    own = tf.random.stateless_gamma((size,), one, alpha)
    others = tf.random.stateless_gamma((size,), other, alpha)
    return partners, own / (own + others)
