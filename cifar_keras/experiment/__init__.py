"""What a recipe comes to: a network, its batches and tests, ready to train."""
