"""Collective operations of the workers that train one run together.

With one worker they are trivial. With several, all workers must make the same calls in the same
order; otherwise they wait for the one that does not. TensorFlow's coordination service notices
within about ten seconds that a worker died, and the workers that wait for it get an error; see
`whole`.
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

# The errors of a collective when a worker is gone. Which one depends on who notices first.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)
_WORD = np.dtype(np.int64)
T = TypeVar("T")


class Team:
    """The workers under a strategy. Only the chief worker writes the run folder."""

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
        """Return the sums of these numbers over all workers."""
        if self.size == 1:
            return list(numbers)
        return [int(each) for each in self._added(np.array(numbers, _WORD))]

    def broadcast(self, content: bytes) -> bytes:
        """Return the chief worker's content; that of the others is ignored."""
        if self.size == 1:
            return content
        length, *_ = self.total([len(content) if self.chief else 0])
        if not length:
            # TensorFlow crashes on a sum of empty tensors.
            return b""
        words = np.zeros(-(-length // _WORD.itemsize), _WORD)
        if self.chief:
            words.view(np.uint8)[:length] = np.frombuffer(content, np.uint8)
        return self._added(words).tobytes()[:length]

    def of_all(self, array: NDArray[Any]) -> list[NDArray[Any]]:
        """Return every worker's array in order; all must have the same shape and type."""
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
        """Check that all workers have the same facts.

        Raises:
            RunError: they differ. The message of a worker that differs says in what.
        """
        theirs = json.loads(self.broadcast(json.dumps(facts).encode()))
        ours = json.loads(json.dumps(facts))
        differing = [key for key in theirs | ours if ours.get(key) != theirs.get(key)]
        places = [0] * self.size
        places[self.index] = len(differing)
        wrong = [index for index, count in enumerate(self.total(places)) if count]
        if differing:
            what = [f"{k} is {ours.get(k)}, not {theirs.get(k)}" for k in differing]
            raise RunError(
                f"worker {self.index} does not train what the chief worker trains: "
                f"{'; '.join(what)}; start all workers with the same options and data"
            )
        if wrong:
            which = ", ".join(map(str, wrong))
            raise RunError(
                f"worker {which} does not train what the chief worker trains; see its message"
            )

    def by_chief(
        self,
        what: str,
        action: Callable[[], T | None],
        encode: Callable[[T], bytes] = lambda value: json.dumps(value).encode(),
        decode: Callable[[bytes], T] = json.loads,
    ) -> T | None:
        """Run an action in the chief worker only; return its result in all workers.

        Args:
            what: describes the action, for the error message of the others.
            action: called by the chief worker.
            encode: converts a result other than None to bytes, to send it to the others.
            decode: the inverse of `encode`.

        Raises:
            CifarKerasError: that of the action, in the chief worker.
            RunError: the action failed, in the others.
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
            raise RunError(f"the chief worker could not {what}; see its message")
        if self.size == 1:
            return value
        content = self.broadcast(b"" if value is None else encode(value))
        return decode(content) if content else None

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Turn a lost worker into a RunError.

        Raises:
            RunError: a worker died, or can no longer be reached.
        """
        try:
            yield
        except _LOST as error:
            if self.size == 1:
                raise
            raise RunError(
                f"worker {self.index} lost {_whom(error, self.index)}; start all workers again "
                "with the same commands to resume from the last checkpoint"
            ) from None

    def _added(self, words: NDArray[np.int64]) -> NDArray[np.int64]:
        added: NDArray[np.int64] = self._sum(tf.constant(words)).numpy()
        return added

    def _summed(self, words: tf.Tensor) -> tf.Tensor:
        def own() -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            # Of a worker's replicas only the first contributes.
            first = context.replica_id_in_sync_group % self._replicas_here() == 0
            return context.all_reduce("SUM", words * tf.cast(first, words.dtype))

        return self._strategy.experimental_local_results(self._strategy.run(own))[0]

    def _replicas_here(self) -> int:
        return len(self._strategy.extended.worker_devices)


@cache
def team_of(strategy: tf.distribute.Strategy) -> Team:
    """Return the team of the strategy's workers."""
    return Team(strategy)


def _whom(error: tf.errors.OpError, own: int) -> str:
    """Return the names of the workers in the error's message."""
    named = set(re.findall(r"/job:worker/(?:replica:0/)?task:(\d+)", error.message)) - {str(own)}
    if not named:
        return f"another ({' '.join(error.message.split())[:200]})"
    return f"worker {', '.join(sorted(named, key=int))}"
