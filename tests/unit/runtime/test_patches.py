"""What is replaced comes back, in reverse order, whatever interrupts it."""

import inspect
import sys
import types

import pytest

from pytest_supercache.runtime.kernel import patches
from pytest_supercache.runtime.kernel.patches import Patches


class _Base:
    def inherited(self):
        return "base"


class _Owner(_Base):
    @staticmethod
    def kept():
        return "real"

    @classmethod
    def of_class(cls):
        return cls


class _Slotted:
    __slots__ = ("value",)


class _Propertied:
    def __init__(self):
        self.held = "real"

    @property
    def value(self):
        return self.held

    @value.setter
    def value(self, new):
        self.held = new


def _members(owner):
    return dict(vars(owner))


def test_what_an_owner_holds_comes_back_as_it_was_held():
    before = _members(_Owner)
    with Patches() as replaced:
        for name in ("kept", "of_class", "inherited"):
            replaced.put(_Owner, name, lambda: "stand-in")
        assert _Owner.kept() == _Owner.inherited() == "stand-in"
        assert [name for _, name in replaced.places] == ["kept", "of_class", "inherited"]
    assert _members(_Owner) == before
    assert _Owner().inherited() == "base"
    assert _Owner.of_class() is _Owner


def test_what_is_replaced_twice_is_first_what_it_was_before():
    module = types.ModuleType("module")
    module.name = "real"
    with Patches() as replaced:
        replaced.put(module, "name", "first")
        replaced.put(module, "name", "second")
    assert module.name == "real"


@pytest.mark.parametrize("make", [_Slotted, _Propertied])
def test_an_attribute_behind_a_descriptor_comes_back(make):
    owner = make()
    owner.value = "real"
    with Patches() as replaced:
        replaced.put(owner, "value", "stand-in")
        assert owner.value == "stand-in"
    assert owner.value == "real"


def test_a_function_is_wrapped_under_its_name():
    with Patches() as replaced:
        replaced.wrap(_Base, "inherited", lambda real: lambda self: f"not {real(self)}")
        assert _Base().inherited() == "not base"
        assert _Base.inherited.__name__ == "inherited"
    assert _Base().inherited() == "base"


def test_what_cannot_be_replaced_is_refused_and_the_rest_comes_back():
    before = _members(_Owner)
    replaced = Patches()
    replaced.put(_Owner, "kept", "stand-in")
    with pytest.raises(TypeError):
        replaced.put(dict, "get", "stand-in")
    replaced.undo()
    assert _members(_Owner) == before


class _Interrupt(BaseException):
    """Ctrl-C, at a moment of the test's choice."""


def _interrupted(function, at):
    """Call a function; interrupt it before its ``at``-th line in the module under test."""
    lines = 0

    def trace(frame, event, _argument):
        nonlocal lines
        if frame.f_code.co_filename != inspect.getsourcefile(patches):
            return None
        if event == "line":
            lines += 1
            if lines == at:
                raise _Interrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    except _Interrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def _replace(replaced):
    replaced.put(_Owner, "kept", "stand-in")
    replaced.put(_Owner, "inherited", "stand-in")
    replaced.put(_Owner, "new", "stand-in")


def _interruptions(prepare, function):
    """Interrupt a function before each of its lines; yield what was prepared for it each time."""
    for at in range(1, 200):
        replaced = Patches()
        prepare(replaced)
        was_interrupted = _interrupted(lambda replaced=replaced: function(replaced), at)
        yield replaced
        if not was_interrupted:
            assert at > 10, "it has more lines than that"
            return
    raise AssertionError("it never came to its end")


def test_an_interruption_while_something_is_replaced_loses_nothing():
    before = _members(_Owner)
    for replaced in _interruptions(lambda _: None, _replace):
        replaced.undo()
        assert _members(_Owner) == before


def test_an_interruption_while_it_is_put_back_loses_nothing():
    before = _members(_Owner)
    for replaced in _interruptions(_replace, Patches.undo):
        replaced.undo()
        assert _members(_Owner) == before
