"""Packages that only some options need."""

from importlib.util import find_spec

from cifar_keras.errors import MissingPackage


def require(package: str, extra: str, option: str) -> None:
    """Raise an error unless `package` is installed.

    Raises:
        MissingPackage: it is not; the message names the option and the extra to install.
    """
    if find_spec(package) is None:
        raise MissingPackage(
            f"{option} needs {package}, which is not installed; pip install 'cifar_keras[{extra}]'"
        )
