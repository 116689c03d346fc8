"""`python -m cifar_keras` is `cifar-keras`."""

import sys

from cifar_keras.cli import main

if __name__ == "__main__":
    sys.exit(main())
