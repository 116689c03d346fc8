"""Compare our arithmetic with the originals' own operators in MXNet and PyTorch."""
