"""A run: training that survives interruption, and its run folder."""
