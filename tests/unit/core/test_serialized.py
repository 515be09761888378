"""What a serialized value holds is said without running any of it; what is not certain stays."""

import bz2
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import gzip
import lzma
import pickle
import random
import sys
import uuid
import zlib
import zoneinfo
from types import SimpleNamespace

import pytest

from pytest_supercache.core.serialized import Deserialized, deserialized
from pytest_supercache.core.value_text import seen_text, value_text

UTC = datetime.UTC
PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Product:
    sku: str
    price: object


@dataclasses.dataclass(slots=True)
class Slotted:
    sku: str


class Outer:
    class Inner:
        pass


Point = collections.namedtuple("Point", "x y")

PLAIN = [
    None, True, 100, -5, 2**80, 1.5, "tea", "", [1, "a"], {"price": 100, "tags": ["new", None]},
    [[[]]], {},
]  # fmt: skip

OBJECTS = [
    *([repr(one), one] for one in (
        datetime.datetime(2026, 1, 2, 3, 4, 5, 6, UTC).replace(tzinfo=None),
        datetime.datetime(2026, 1, 2, tzinfo=UTC).replace(tzinfo=None),
        datetime.datetime(2026, 1, 2, 3, tzinfo=UTC),
        datetime.datetime(2026, 1, 2, 3, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
        datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
        datetime.date(2026, 1, 2), datetime.time(1, 2), datetime.time(1, 2, 3, 4, tzinfo=UTC),
        datetime.timedelta(days=1, seconds=2, microseconds=3), datetime.timedelta(0),
        decimal.Decimal("1.50"), uuid.UUID(int=5), fractions.Fraction(1, 3),
        collections.deque([1, 2], 5), collections.deque(), Product("tea", 100),
        Product("o'x", [Product("cup", decimal.Decimal(2))]), Slotted("tea"), ValueError("no"),
    )),
    ["Colour('red')", Colour.RED], ["Outer.Inner()", Outer.Inner()], ["Point(1, 2)", Point(1, 2)],
    [{"a": 1}, collections.OrderedDict(a=1)], [{"a": [1]}, collections.defaultdict(list, a=[1])],
    [{"a": 2}, collections.Counter("aa")], [[1, 2], (1, 2)], [["a", "b"], {"b", "a"}],
    [["a", "b"], frozenset({"b", "a"})], ["ok", b"ok"], ["b'\\xff'", b"\xff"],
    ["x", bytearray(b"x")], ["builtins.len", len], ["\\ud800", "\ud800"],
    [{"1": "a", "1 (str)": "b", "[1, 2]": 3}, {1: "a", "1": "b", (1, 2): 3}],
]  # fmt: skip
"""What is told, and the object."""


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain_data_in_a_pickle_is_that_data(value, protocol):
    assert deserialized(pickle.dumps(value, protocol)) == Deserialized(value, "pickled")


@pytest.mark.parametrize(("told", "value"), OBJECTS, ids=lambda each: type(each).__name__)
def test_an_object_in_a_pickle_is_told_by_its_class_and_its_state(told, value):
    found = deserialized(pickle.dumps(value))
    assert found is not None
    assert found.data == told


@pytest.mark.parametrize("value", [decimal.Decimal("1.50"), {1, 2}, Product("tea", 1)], ids=repr)
def test_an_object_in_an_old_pickle_is_told_alike(value):
    new = deserialized(pickle.dumps(value))
    assert new is not None
    assert all(deserialized(pickle.dumps(value, protocol)) == new for protocol in PROTOCOLS)


def test_an_object_inside_of_data_is_a_text_there():
    found = deserialized(pickle.dumps({"price": decimal.Decimal("1.50"), "of": Product("tea", 1)}))
    assert value_text(pickle.dumps({"price": decimal.Decimal(1)})) == (
        '{"price": "Decimal(\'1\')"} (pickled)'
    )
    assert found is not None
    assert found.data == {"price": "Decimal('1.50')", "of": "Product(sku='tea', price=1)"}


def test_a_pickle_that_contains_itself_is_told_up_to_there():
    cycle = []
    cycle.append(cycle)
    assert deserialized(pickle.dumps(cycle)) == Deserialized(["<cycle>"], "pickled")


@pytest.mark.parametrize(
    ("name", "compress"),
    [("zlib", zlib.compress), ("gzip", gzip.compress), ("bz2", bz2.compress),
     ("lzma", lzma.compress), ("zlib", lambda data: zlib.compress(data, 9))],
)  # fmt: skip
def test_a_compressed_value_is_what_was_compressed(name, compress):
    assert deserialized(compress(pickle.dumps([100] * 9))) == Deserialized(
        [100] * 9, f"pickled, {name}"
    )
    assert deserialized(compress(b'{"price": 100}')) == Deserialized('{"price": 100}', name)
    assert deserialized(compress(b"\xff\xfe")) is None  # what was compressed says nothing
    assert deserialized(compress(pickle.dumps(1))[:-1]) is None
    assert deserialized(compress(pickle.dumps(1)) + b"!") is None


def test_a_library_that_is_not_there_leaves_the_value_as_it_is(monkeypatch):
    for module, value in (("lz4.frame", b"\x04\x22\x4d\x18\xff"), ("pyzstd", b"(\xb5/\xfd\xff")):
        monkeypatch.setitem(sys.modules, module, None)
        assert deserialized(value) is None


def test_lz4_and_zstd_are_asked_for_no_more_than_their_bound(monkeypatch):
    """They are no part of Python, and no requirement here: stand-ins that answer in their way."""
    asked = []

    def decompressor(*_bounds):
        def decompress(_data, most):
            asked.append(most)
            return pickle.dumps(100)

        return SimpleNamespace(decompress=decompress, eof=True, unused_data=b"")

    lz4 = SimpleNamespace(LZ4FrameDecompressor=decompressor)
    pyzstd = SimpleNamespace(
        ZstdDecompressor=decompressor, DParameter=SimpleNamespace(windowLogMax=100)
    )
    monkeypatch.setitem(sys.modules, "lz4.frame", lz4)
    monkeypatch.setitem(sys.modules, "pyzstd", pyzstd)
    assert deserialized(b"\x04\x22\x4d\x18\xfe") == Deserialized(100, "pickled, lz4")
    assert deserialized(b"(\xb5/\xfd\xfe") == Deserialized(100, "pickled, zstd")
    assert asked == [1_000_000, 1_000_000]


@pytest.mark.parametrize("before", [b"!", b'{"ct": 1.5, "v": 1}|', b"0f3a_"])
def test_what_a_library_writes_before_a_pickle_is_kept(before):
    found = deserialized(before + pickle.dumps({"price": 100}))
    assert found == Deserialized({"price": 100}, "pickled", before.decode())
    assert value_text(before + pickle.dumps(100)) == f"{before.decode()}100 (pickled)"


@pytest.mark.parametrize("value", [100, None, "tea", {"price": 100}, b"\xff\xfe"], ids=repr)
def test_recorded_text_of_a_value_is_read_like_the_value(value):
    data = pickle.dumps(value)
    assert deserialized(data.decode(errors="backslashreplace")) == deserialized(data)
    assert deserialized(repr(data)) == deserialized(data)


@pytest.mark.parametrize(
    "text",
    [
        "\\x80\\x04K\\x01.",  # somebody has typed it: bytes below 128 are recorded as they are
        "caf\\xc3\\xa9", "b'\\xff'", "b'\\x41'", "b'", "\\xZZ", "100", '{"price": 100}', "\\x80",
        "x\\x9c", "", "\u20ac\\x80",
    ],
)  # fmt: skip
def test_text_that_was_no_serialized_value_stays(text):
    assert deserialized(text) is None


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\x81\xa5priced", {"price": 100}),
        (b"\x82\xa1a\xc0\xa1b\x93\x01\xff\xc3", {"a": None, "b": [1, -1, True]}),
        (b"\x91\x81\xa1a\xcb?\xf8\x00\x00\x00\x00\x00\x00", [{"a": 1.5}]),
        (b"\x81\xa1a\xd4\x05x", {"a": "ExtType(5, 'x')"}),
        (b"\xde\x00\x01\xd9\x01a\xcd\x01\x00", {"a": 256}),
    ],
)
def test_an_object_in_messagepack_is_that_object(data, told):
    assert deserialized(data) == Deserialized(told, "MessagePack")


@pytest.mark.parametrize(
    "data",
    [
        b"d", b"\xa3tea", b"\x93\x01\x02\x03", b"\x80", b"\x81\x01\x02", b"\x81\xa5price",
        b"\x81\xa5priced!", b"\xc1", b"\xff", b"\xdf\xff\xff\xff\xff", b"\x91" * 900,
        b"\x81\xa0\x01", b"\x81\xa1\x00\x01",
    ],
)  # fmt: skip
def test_bytes_that_may_be_anything_are_not_called_messagepack(data):
    assert deserialized(data) is None


def test_a_sentence_says_how_a_value_is_stored():
    """Nodes may be said to differ that hold the same, one of them serialized."""
    assert value_text(pickle.dumps(100)) == "100 (pickled)"
    assert value_text(zlib.compress(pickle.dumps(None))) == "null (pickled, zlib)"
    assert value_text(pickle.dumps("tea")) == '"tea" (pickled)'
    assert value_text(b"100") == "100"


def test_what_a_step_expected_and_saw_is_quoted_as_it_is():
    assert "K" in seen_text(pickle.dumps(100))
    assert "pickled" not in seen_text(pickle.dumps(100))


def test_a_pickle_whose_call_has_no_tuple_of_arguments_is_told_as_that_call():
    """The twin: the same class, called as it calls itself."""
    damaged = b"\x80\x02ccollections\nOrderedDict\nccollections\nCounter\nR."
    assert deserialized(damaged) == Deserialized("OrderedDict(collections.Counter)", "pickled")
    assert value_text(pickle.dumps(collections.OrderedDict(a=1))) == '{"a": 1} (pickled)'


def test_damaged_values_are_told_as_some_text():
    chance = random.Random(29)
    seeds = [pickle.dumps(value, protocol) for _, value in OBJECTS for protocol in PROTOCOLS]
    for _ in range(600):
        damaged = bytearray(chance.choice(seeds))
        for _ in range(chance.choice((1, 1, 2, 5, 20))):
            at = chance.randrange(len(damaged))
            damaged[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        value_text(bytes(damaged)).encode()
