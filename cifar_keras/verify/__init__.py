"""Verify a run folder: its hashes, that its files agree with each other, and its figures."""

from cifar_keras.verify.check import Check, Outcome, outcome
from cifar_keras.verify.run import verify_run

__all__ = ["Check", "Outcome", "outcome", "verify_run"]
