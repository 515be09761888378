"""What is kept of a statement: its text, and its parameters that are plain."""

from pytest_supercache.core.statement import SqlStatement


class Deceptive(dict):
    """Parameters whose own code must not run."""

    def items(self):
        raise AssertionError

    def __getattribute__(self, name):
        raise AssertionError


def test_no_code_of_parameters_is_run():
    assert SqlStatement.of("sqlite", "", Deceptive(id=7)).values == (("id", "7"),)
    assert SqlStatement.of("sqlite", "", {Deceptive: 7, "n": Deceptive()}).values == ()


def test_bytes_are_plain_if_they_may_be_a_key():
    found = SqlStatement.of("sqlite", "", [b"\x0f" * 16, b"-" * 65])
    assert found.values == (("1", "0f" * 16),)
