"""What the processes that train one run together must do at the same moment.

Of one process all of this is trivial. Of several, each call is a collective: all make it, in the
same order, or wait for the one that does not. A worker that dies is noticed by TensorFlow's
coordination service within some ten seconds, and whoever waits for it gets an error: see `whole`.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cifar_keras.errors import CifarKerasError, RunError

# What a collective ends with where a worker is gone; which, depends on who notices it first.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)
_WORD = np.dtype(np.int64)
T = TypeVar("T")


class Team:
    """The workers under a strategy, of which the chief alone writes the run folder."""

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self._strategy = strategy
        resolver = strategy.cluster_resolver
        several = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        spec = resolver.cluster_spec() if several else None
        self.size: int = sum(spec.num_tasks(job) for job in spec.jobs) if spec else 1
        self.index: int = resolver.task_id if spec else 0
        self._sum = tf.function(self._summed, reduce_retracing=True)

    @property
    def chief(self) -> bool:
        """Whether this process writes the run folder."""
        return self.index == 0

    @property
    def others(self) -> list[int]:
        """The indices of the other workers."""
        return [index for index in range(self.size) if index != self.index]

    def total(self, numbers: Sequence[int]) -> list[int]:
        """The sums of these numbers over all workers."""
        if self.size == 1:
            return list(numbers)
        return [int(each) for each in self._added(np.array(numbers, _WORD))]

    def of_chief(self, content: bytes) -> bytes:
        """The chief's content, whatever the others bring."""
        if self.size == 1:
            return content
        length, *_ = self.total([len(content) if self.chief else 0])
        if not length:
            # TensorFlow crashes where it adds up nothing.
            return b""
        words = np.zeros(-(-length // _WORD.itemsize), _WORD)
        if self.chief:
            words.view(np.uint8)[:length] = np.frombuffer(content, np.uint8)
        return self._added(words).tobytes()[:length]

    def of_all(self, array: NDArray[Any]) -> list[NDArray[Any]]:
        """Every worker's array, in their order; all are of one shape and type."""
        if self.size == 1:
            return [array]
        content = array.tobytes()
        words = np.zeros((self.size, -(-len(content) // _WORD.itemsize)), _WORD)
        words[self.index].view(np.uint8)[: len(content)] = np.frombuffer(content, np.uint8)
        rows = self._added(words)
        return [
            np.frombuffer(row.tobytes()[: len(content)], array.dtype).reshape(array.shape)
            for row in rows
        ]

    def agree_on(self, facts: dict[str, Any]) -> None:
        """Nothing, where all workers bring the same facts.

        Raises:
            RunError: they do not; who differs says in what.
        """
        theirs = json.loads(self.of_chief(json.dumps(facts).encode()))
        ours = json.loads(json.dumps(facts))
        differing = [key for key in theirs | ours if ours.get(key) != theirs.get(key)]
        places = [0] * self.size
        places[self.index] = len(differing)
        wrong = [index for index, count in enumerate(self.total(places)) if count]
        if differing:
            what = [f"{k} is {theirs.get(k)} there, {ours.get(k)} here" for k in differing]
            raise RunError(
                f"worker {self.index} does not train what the chief trains: {'; '.join(what)}"
            )
        if wrong:
            which = ", ".join(map(str, wrong))
            raise RunError(f"worker {which} does not train what the chief trains; it says in what")

    def by_chief(
        self,
        what: str,
        action: Callable[[], T | None],
        encode: Callable[[T], bytes] = lambda value: json.dumps(value).encode(),
        decode: Callable[[bytes], T] = json.loads,
    ) -> T | None:
        """Return what the action returns to the chief worker, which alone acts.

        Values but None pass to the others as bytes; `what` was done is for their message.

        Raises:
            RunError: the action did, or that of the chief did.
        """
        value: T | None = None
        error: CifarKerasError | None = None
        if self.chief:
            try:
                value = action()
            except CifarKerasError as refused:
                error = refused
        (failed,) = self.total([int(error is not None)])
        if error:
            raise error
        if failed:
            raise RunError(f"the chief could not {what}; it says why")
        if self.size == 1:
            return value
        content = self.of_chief(b"" if value is None else encode(value))
        return decode(content) if content else None

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Within, the loss of a worker is told.

        Raises:
            RunError: one died, or can no longer be reached.
        """
        try:
            yield
        except _LOST as error:
            if self.size == 1:
                raise
            raise RunError(
                f"worker {self.index} has lost {_whom(error, self.index)}; once all workers are "
                "started again, with the same commands, they go on from the last checkpoint"
            ) from None

    def _added(self, words: NDArray[np.int64]) -> NDArray[np.int64]:
        added: NDArray[np.int64] = self._sum(tf.constant(words)).numpy()
        return added

    def _summed(self, words: tf.Tensor) -> tf.Tensor:
        def own() -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            # A worker with several replicas speaks through its first.
            first = context.replica_id_in_sync_group % self._replicas_here() == 0
            return context.all_reduce("SUM", words * tf.cast(first, words.dtype))

        return self._strategy.experimental_local_results(self._strategy.run(own))[0]

    def _replicas_here(self) -> int:
        return len(self._strategy.extended.worker_devices)


@cache
def team_of(strategy: tf.distribute.Strategy) -> Team:
    """The one team of the strategy's workers."""
    return Team(strategy)


def _whom(error: tf.errors.OpError, own: int) -> str:
    """The workers that the error is about."""
    named = set(re.findall(r"/job:worker/(?:replica:0/)?task:(\d+)", error.message)) - {str(own)}
    if not named:
        return f"another ({' '.join(error.message.split())[:200]})"
    return f"worker {', '.join(sorted(named, key=int))}"
