"""Whether a run folder is what it says: its hashes, its files among each other, its figures."""

from cifar_keras.verify.check import Check, Outcome, outcome
from cifar_keras.verify.run import verify_run

__all__ = ["Check", "Outcome", "outcome", "verify_run"]
