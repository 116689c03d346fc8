import pytest

from cifar_keras.errors import MissingPackage
from cifar_keras.extras import require


def test_an_installed_package_is_no_matter():
    require("numpy", "extra", "--option")


def test_a_missing_package_is_one_line_that_names_the_extra():
    with pytest.raises(MissingPackage) as caught:
        require("no_such_package", "extra", "--option")

    assert str(caught.value) == (
        "--option needs no_such_package, which is not installed; pip install 'cifar_keras[extra]'"
    )
