"""What counts as code under test, by the name of its module."""

import sysconfig

import pytest

from pytest_supercache.runtime.kernel.under_test import is_under_test_name

OURS_AND_OTHERS = {
    "shop": True,
    "shop.views": True,
    "pytest_shop": True,
    "hypothesis_of_a_shop": True,
    "pytest_supercache.reference.naive": True,
    "pytest_supercache.checking.environment": False,
    "json.decoder": False,
    "_hypothesis_pytestplugin": False,
    "pytest_django.fixtures": False,
    "numpy._core.numeric": False,
    "charset_normalizer.md": False,
    sysconfig._get_sysconfigdata_name(): False,
}


@pytest.mark.parametrize("name", OURS_AND_OTHERS)
def test_the_code_under_test_is_neither_of_python_nor_of_its_test_tools(name):
    assert is_under_test_name(name) is OURS_AND_OTHERS[name]
