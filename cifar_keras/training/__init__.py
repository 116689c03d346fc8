"""Training: devices, callbacks, and the run itself."""
