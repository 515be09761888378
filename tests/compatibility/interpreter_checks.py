"""What is relied on of CPython: frames, instructions, references, names of built-in types."""

import asyncio
import builtins
import collections
import contextvars
import decimal
import dis
import functools
import gc
import glob
import hashlib
import inspect
import io
import itertools
import opcode
import operator
import pdb
import pickle
import queue
import random
import re
import socket
import struct
import sys
import threading
import weakref
from types import FunctionType, ModuleType
from zoneinfo import ZoneInfo

from pytest_supercache.core.identity import identity
from pytest_supercache.core.serialized import deserialized
from pytest_supercache.runtime.kernel import functions_under_test
from pytest_supercache.runtime.kernel.coroutines import serves
from pytest_supercache.runtime.memory import single_dispatch
from pytest_supercache.runtime.memory.effects import (
    FINALIZER_NUMBERS,
    FINALIZERS,
    is_left_alone,
    is_view,
    sources,
)
from pytest_supercache.runtime.memory.entering import _LOOPING
from pytest_supercache.runtime.memory.iterators import calls_of, yielded_by
from pytest_supercache.runtime.memory.proxies import behind
from pytest_supercache.runtime.memory.referring import functions_of
from pytest_supercache.runtime.memory.tracked_calls import is_fully_tracked
from pytest_supercache.runtime.observe.watched_mapping import _is_loop
from pytest_supercache.runtime.process.derived_dates import _building
from pytest_supercache.runtime.process.fresh_stack import with_room
from tests.compatibility.rows import Checks

CHECKS = Checks()

_TOUCHING_NOTHING = """
    ASYNC_GEN_WRAP BEFORE_ASYNC_WITH BEFORE_WITH BUILD_CONST_KEY_MAP BUILD_LIST BUILD_MAP BUILD_SET
    BUILD_SLICE BUILD_STRING BUILD_TUPLE CACHE CALL_INTRINSIC_2 CHECK_EG_MATCH CHECK_EXC_MATCH
    CLEANUP_THROW COPY COPY_FREE_VARS DELETE_FAST DELETE_NAME END_ASYNC_FOR END_FOR END_SEND
    ENTER_EXECUTOR EXIT_INIT_CHECK EXTENDED_ARG FORMAT_WITH_SPEC GET_AITER GET_AWAITABLE
    IMPORT_NAME IMPORT_STAR INTERPRETER_EXIT IS_OP JUMP JUMP_BACKWARD JUMP_BACKWARD_NO_INTERRUPT
    JUMP_FORWARD JUMP_NO_INTERRUPT KW_NAMES LIST_APPEND LIST_TO_TUPLE LOAD_ASSERTION_ERROR
    LOAD_BUILD_CLASS LOAD_CLOSURE LOAD_CONST LOAD_FAST LOAD_FAST_AND_CLEAR LOAD_FAST_CHECK
    LOAD_FAST_LOAD_FAST LOAD_FROM_DICT_OR_GLOBALS LOAD_LOCALS LOAD_NAME MAKE_CELL MAP_ADD NOP
    POP_BLOCK POP_EXCEPT POP_TOP PREP_RERAISE_STAR PRINT_EXPR PUSH_EXC_INFO PUSH_NULL RAISE_VARARGS
    RERAISE RESERVED RETURN_GENERATOR SETUP_ANNOTATIONS SETUP_CLEANUP SETUP_FINALLY SETUP_WITH
    SET_ADD SET_FUNCTION_ATTRIBUTE STORE_FAST STORE_FAST_LOAD_FAST STORE_FAST_MAYBE_NULL
    STORE_FAST_STORE_FAST STORE_NAME SWAP WITH_EXCEPT_START YIELD_VALUE
    POP_JUMP_IF_NONE POP_JUMP_IF_NOT_NONE POP_JUMP_BACKWARD_IF_NONE POP_JUMP_BACKWARD_IF_NOT_NONE
    POP_JUMP_FORWARD_IF_NONE POP_JUMP_FORWARD_IF_NOT_NONE
"""
"""Instructions of CPython 3.11 to 3.13 before which no hook is called."""

_ONE_BY_ONE = """
    BINARY_OP CALL CALL_FUNCTION_EX CALL_KW DELETE_DEREF FORMAT_VALUE MAKE_FUNCTION PRECALL RESUME
    STORE_DEREF
"""
"""Instructions that the rewriting asks for one by one."""

_OF_THE_INTERPRETER = ("INSTRUMENTED_", "LOAD_SUPER_", "LOAD_ZERO_SUPER_")
"""How names begin of instructions that code begins to have when it is monitored or compiled."""


@CHECKS.of("instructions that are rewritten")
def _every_instruction_of_this_python_is_known():
    from pytest_supercache.runtime.memory import rewriting

    known = {
        *rewriting._SIMPLE, *rewriting._REPLACED, *rewriting._ATTRIBUTES, *rewriting._CELL_LOADS,
        *rewriting._RETURNS, *_TOUCHING_NOTHING.split(), *_ONE_BY_ONE.split(),
    }  # fmt: skip
    unknown = sorted(
        name
        for name in dis.opmap.keys() - known
        if not (name.startswith(_OF_THE_INTERPRETER) or rewriting._tests(name, ""))
    )
    assert unknown == [], (
        "an instruction that is not known gets no hook: if it touches memory, nothing sees it, and "
        "a check may say HOLDS that is wrong"
    )
    in_place = [name for name, _ in opcode._nb_ops[rewriting._FIRST_IN_PLACE :]]
    assert all(name.startswith("NB_INPLACE_") for name in in_place), (
        f"the operations of BINARY_OP from {rewriting._FIRST_IN_PLACE} on change their operand: "
        f"{in_place}"
    )


@CHECKS.of("instructions that are looked at")
def _instructions_have_the_names_that_are_looked_for():
    assert _serve_for_ever() == [True, False], (
        "kernel/coroutines.py finds endless loops by their jumps"
    )
    assert _called_back_at() <= _LOOPING, "memory/entering.py knows what calls back"
    assert _begin_loops() == [True, False], "observe/watched_mapping.py tells a loop"
    names = [one.argval for one in dis.get_instructions(_sets) if one.opname == "STORE_ATTR"]
    assert names == ["__dict__"], "memory/one_dict.py finds the class that gives an object its dict"


def _serve_for_ever():
    async def for_ever():
        while True:
            await asyncio.sleep(1)

    async def once():
        await asyncio.sleep(1)

    coroutines = for_ever(), once()
    try:
        return list(map(serves, coroutines))
    finally:
        for coroutine in coroutines:
            coroutine.close()


def _called_back_at():
    at = set()

    def key(_):
        caller = sys._getframe(1)
        at.add(dis.opname[caller.f_code.co_code[caller.f_lasti]])
        return 0

    sorted([1], key=key)
    return at


def _begin_loops():
    class Asked:
        def __iter__(self):
            caller = sys._getframe(1)
            found.append(_is_loop(caller.f_code, caller.f_lasti))
            return iter(())

    found: list[bool] = []
    for _ in Asked():
        pass
    list(Asked())
    return found


def _sets(holder):
    holder.__dict__ = {}


@CHECKS.of("code.replace(co_stacksize=...)")
def _code_may_ask_for_more_of_the_stack_than_it_needs():
    assert with_room(lambda answer: answer)(7) == 7


@CHECKS.of("sys._getframe, sys._current_frames")
def _frames_tell_who_calls_and_where_a_thread_is():
    def called():
        local = "kept"
        frame = sys._getframe()
        assert frame.f_locals["local"] == local, "a frame shows its variables"
        assert frame.f_globals["__name__"] == __name__, "a frame shows its module"
        return sys._getframe(1).f_code is _frames_tell_who_calls_and_where_a_thread_is.__code__

    assert called(), "sys._getframe(1) is the caller"
    frames = sys._current_frames()
    assert threading.get_ident() in frames, "frames are listed by the numbers of threads"


@CHECKS.of("gc.get_referents, gc.get_referrers")
def _an_iterator_refers_to_what_it_goes_through_and_calls():
    numbers = [1, 2, 3]
    for make in (
        lambda: iter(numbers), lambda: reversed(numbers), lambda: {"a": 1}.items(),
        lambda: {"a": 1}.values(), lambda: zip(numbers, numbers, strict=False),
        lambda: filter(None, numbers), lambda: enumerate(numbers),
        lambda: itertools.chain(numbers, numbers), lambda: itertools.chain.from_iterable([numbers]),
        lambda: itertools.islice(numbers, 2), lambda: itertools.compress(numbers, numbers),
        lambda: iter(collections.deque(numbers)), lambda: iter(set(numbers)),
    ):  # fmt: skip
        found = yielded_by(make())
        assert found is not None, f"{type(make()).__name__}: what it goes through is not found"
        assert set(make()) <= set(found), f"{type(make()).__name__}: elements are not found"
    for view in (map(len, numbers), filter(len, numbers), itertools.takewhile(len, numbers)):
        called = [function for function, _, _ in calls_of(view, 3)]
        assert len in called, f"{type(view).__name__}: what it calls is not found"
    assert numbers in sources(map(len, numbers)), "the container behind an iterator"
    shop = type("Shop", (), {})
    assert any(type(one) is dict for one in gc.get_referents(vars(shop))), "a class's dict"


@CHECKS.of("sys.getrefcount")
def _references_to_a_namespace_count_its_functions():
    module = ModuleType("shop")
    exec("def get(): pass\ndef put(): pass", vars(module))
    found = {id(one): one for one in functions_of([module])}
    assert set(found.values()) == {module.get, module.put}, "memory/referring.py finds functions"
    hidden: list[FunctionType] = [vars(module).pop("put")]
    assert hidden[0] in set(functions_of([module])), "also one that the module does not lead to"


@CHECKS.of("object.__hash__")
def _the_usual_hash_tells_objects_apart():
    class Same:
        def __hash__(self):
            return 1

        def __eq__(self, other):
            return True

    objects = [Same() for _ in range(10_000)]
    assert len(set(map(identity, objects))) == 10_000, "no two living objects have the same"
    assert [identity(one) for one in objects] == [identity(one) for one in objects]


@CHECKS.of("builtins.__build_class__")
def _class_statements_call_a_builtin():
    class Frozen:
        pass

    class Real:
        pass

    usual = builtins.__build_class__
    builtins.__build_class__ = _building(usual, {identity(Frozen): Real})
    try:

        class Derived(Frozen):
            pass
    finally:
        builtins.__build_class__ = usual
    assert Derived.__mro__[1] is Real, "a class statement has the bases that it is given there"


@CHECKS.of("__builtins__ in the globals of a module")
def _a_namespace_has_the_builtins():
    namespace: dict[str, object] = {}
    exec("", namespace)
    assert "__builtins__" in namespace, "code that runs in a dict leaves them there"
    assert "__builtins__" in globals(), "a module has them"


@CHECKS.of("variables registry and dispatch of the functions of functools.singledispatch")
def _the_functions_of_singledispatch_share_its_implementations():
    show = functools.singledispatch(str)
    found = single_dispatch.implementations_of(show)
    assert found == dict(show.registry)
    for one in (show.dispatch, show.register):
        assert single_dispatch.implementations_of(one) is found
    assert [*map(single_dispatch.registers, (show, show.dispatch, show.register))] == [0, 0, 1]


@CHECKS.of("BaseException.__cause__, __context__, BaseExceptionGroup.exceptions")
def _what_led_to_an_error_is_told_by_descriptors():
    error, first, second = ValueError(), KeyError(), IndexError()
    error.__cause__, error.__context__ = first, second
    assert functions_under_test.CAUSE.__get__(error) is first
    assert functions_under_test._CONTEXT.__get__(error) is second
    group = BaseExceptionGroup("two", [KeyError(), ValueError()])
    assert len(functions_under_test._MEMBERS.__get__(group)) == 2


@CHECKS.of("glob._StringGlobber.lstat")
def _glob_has_the_function_that_looks_at_files_where_it_is_replaced():
    globber = vars(glob).get("_StringGlobber")
    assert globber is None or type(vars(globber)["lstat"]) is staticmethod


@CHECKS.of("weakref.proxy(...).__init__.__self__")
def _a_proxy_leads_to_its_object():
    class Shop:
        pass

    shop = Shop()
    assert behind(weakref.proxy(shop)) is shop


@CHECKS.of("weakref.finalize._registry, _index_iter")
def _finalizers_are_entries_of_one_dict():
    class Page:
        pass

    page, number = Page(), repr(FINALIZER_NUMBERS)
    finalizer = weakref.finalize(page, len, "")
    assert finalizer in FINALIZERS
    assert repr(FINALIZER_NUMBERS) != number, "each takes a number"
    finalizer.detach()
    assert finalizer not in FINALIZERS


@CHECKS.of("names of built-in types and of the modules that they are in")
def _built_in_types_are_where_tables_say():
    with socket.socket() as open_socket:
        known = (
            queue.SimpleQueue(), threading.Lock(), threading.RLock(), threading.local(),
            contextvars.copy_context(), decimal.Decimal(1), random.Random(), re.compile(""),
            hashlib.sha256(), operator.attrgetter("x"), open_socket,
        )  # fmt: skip
        gone = [type(one) for one in known if not is_left_alone(type(one))]
    assert gone == [], "objects that are safe for threads are left alone, by their modules"
    assert is_left_alone(asyncio.Future)
    views = (
        iter([]), iter({}), {}.items(), {}.keys(), {}.values(), iter(collections.deque()),
        iter(collections.OrderedDict()), collections.OrderedDict().items(), itertools.chain(),
    )  # fmt: skip
    assert [type(one) for one in views if not is_view(type(one))] == [], "iterators, by their names"
    assert type(io.BytesIO()).__module__ == "_io", "memory/calls.py knows streams by their module"
    assert is_fully_tracked(struct.Struct("i").pack), (
        "memory/tracked_calls.py knows what changes nothing"
    )


@CHECKS.of("sys.stdlib_module_names, _sysconfigdata_...")
def _modules_of_the_standard_library_are_told_by_their_names():
    missing = {"asyncio", "threading", "queue", "_thread", "redis"} - sys.stdlib_module_names
    assert missing == {"redis"}
    data = [name for name in sys.modules if name.startswith("_sysconfigdata")]
    assert all(name.startswith("_sysconfigdata_") for name in data)


@CHECKS.of("_codecs.encode, ZoneInfo._unpickle in pickles")
def _pickles_say_bytes_and_time_zones_by_these():
    for value, told in ((b"\xff", "b'\\xff'"), (ZoneInfo("UTC"), "zoneinfo.ZoneInfo(key='UTC')")):
        found = [deserialized(pickle.dumps(value, protocol)) for protocol in (2, 4)]
        assert [one and one.data for one in found] == [told, told]


@CHECKS.of("Bdb.botframe, trace_dispatch, Pdb.interaction")
def _a_debugger_can_begin_in_a_frame_that_runs():
    debugger = pdb.Pdb(nosigint=True, readrc=False)
    debugger.reset()
    assert hasattr(debugger, "botframe"), "reset() sets where the debugger ends"
    assert callable(debugger.trace_dispatch), "a frame is traced by it"
    parameters = inspect.signature(debugger.interaction).parameters
    assert len(parameters) == 2, "interaction() takes a frame, and a traceback or None"
