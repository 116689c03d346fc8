"""Our arithmetic against the originals' own operators, run in MXNet and PyTorch."""
