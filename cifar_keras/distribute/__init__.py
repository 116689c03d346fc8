"""Training on more than one device, or on more than one machine."""
