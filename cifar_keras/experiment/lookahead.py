"""Lookahead: slow weights that the fast ones return to every few steps."""

import keras

from cifar_keras.experiment.stages import Place
from cifar_keras.recipe.optimizer import Lookahead


class LookaheadSteps(keras.callbacks.Callback):
    """Moves a slow copy of all weights and statistics, and sets the network to it.

    The copy is kept among the optimizer's variables, so that checkpoints hold it.

    Args:
        model: whose weights; its optimizer must be built. Within the strategy's scope.
        lookahead: how often, and how slow.

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
        """Return this callback for a stage of so many steps; then the network is the copy."""
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
