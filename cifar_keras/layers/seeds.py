"""Random states that differ from replica to replica."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="cifar_keras")
class ReplicaSeedGenerator(keras.random.SeedGenerator):
    """Keras' generator, with the number of the replica folded into each seed.

    Under a `tf.distribute` strategy every replica holds a copy of the same state, so that Keras'
    own gives all of them the same noise (keras#20612). On one replica the seeds are Keras'.
    """

    def next(self, ordered: bool = True) -> tf.Tensor:
        seed = super().next(ordered)
        context = tf.distribute.get_replica_context()
        if context is None or context.num_replicas_in_sync == 1:
            return seed
        replica = tf.cast(context.replica_id_in_sync_group, seed.dtype)
        return tf.random.experimental.stateless_fold_in(seed, replica)
