"""Measure speed on this machine: `python -m benchmarks`."""
