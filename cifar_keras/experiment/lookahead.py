"""Lookahead: slow weights, to which the network is reset every few steps."""

import keras

from cifar_keras.experiment.stages import Place
from cifar_keras.recipe.optimizer import Lookahead


class LookaheadSteps(keras.callbacks.Callback):
    """Updates a slow copy of all weights and statistics, and sets the network to it.

    The copy is among the optimizer's variables, so that checkpoints contain it. It must be created
    in the strategy's scope.

    Args:
        model: the network; its optimizer must be built.
        lookahead: how often to update the copy, and how slowly.

    Reference:
        Zhang et al., arXiv 1907.08610, with the schedule of KellerJordan/cifar10-airbench.
    """

    def __init__(self, model: keras.Model, lookahead: Lookahead) -> None:
        super().__init__()
        self.lookahead = lookahead
        self.fast = [v for v in model.variables if "seed_generator" not in v.name]
        add = model.optimizer.add_variable_from_reference
        self.slow = [add(variable, name="slow") for variable in self.fast]

    def within(self, place: Place, total_steps: int) -> "LookaheadSteps":
        """Return this callback for a stage of so many steps. At its end the network is the copy."""
        self.place, self.total_steps = place, total_steps
        return self

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        if self.place.step == 0:
            for slow, fast in zip(self.slow, self.fast, strict=True):
                slow.assign(fast)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        step, every = self.place.step, self.lookahead.every
        if step % every == 0:
            share = (step / self.total_steps) ** self.lookahead.power
            self._meet(self.lookahead.decay**every * share)
        if step == self.total_steps:
            self._meet(1.0)

    def _meet(self, kept: float) -> None:
        for slow, fast in zip(self.slow, self.fast, strict=True):
            slow.assign(slow + (1 - kept) * (fast - slow))
            fast.assign(slow)
