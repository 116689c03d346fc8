"""A run: training that survives being killed, and the folder it leaves."""
