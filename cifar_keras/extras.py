"""Packages that only some options need."""

from importlib.util import find_spec

from cifar_keras.errors import MissingPackage


def require(package: str, extra: str, option: str) -> None:
    """Nothing, where the package is installed.

    Raises:
        MissingPackage: it is not; the option that wants it and the extra that brings it are named.
    """
    if find_spec(package) is None:
        raise MissingPackage(
            f"{option} needs {package}, which is not installed; pip install 'cifar_keras[{extra}]'"
        )
