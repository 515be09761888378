"""What counts as code under test, by the name of its module; the dict of an object."""

import sysconfig

import pytest

from pytest_supercache.runtime.kernel.under_test import dict_of, is_under_test_name

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


class Asked(type):
    """A metaclass whose properties say what `type` does not."""

    __mro__ = property(lambda _kind: 1 / 0)
    __module__ = property(lambda _kind: 1 / 0)


def test_an_object_has_a_dict_whatever_its_metaclass_says_and_a_class_has_a_view():
    one = Asked("Shop", (), {})()
    one.rate = 1

    assert dict_of(one) == {"rate": 1}
    assert dict_of(type(one)) is None
    assert dict_of(1) is None
