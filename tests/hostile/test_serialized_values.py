"""Values that a cache holds come from elsewhere: reading one runs nothing and is bounded."""

import bz2
import gzip
import lzma
import os
import pickle
import pickletools
import random
import sys
import zlib

import pytest

from pytest_supercache.core.serialized import deserialized
from pytest_supercache.report.values import as_stored, held
from tests.selection import either

RAN = []


class Call:
    """Calls what it is made with when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_what_a_pickle_would_call_is_named_and_not_called(tmp_path):
    found = deserialized(pickle.dumps(Call(os.mkdir, str(tmp_path / "made"))))
    assert found is not None
    assert found.data == f"mkdir('{tmp_path}/made')"
    assert not (tmp_path / "made").exists()
    assert deserialized(pickle.dumps(Call(RAN.append, 1))) is not None
    assert not RAN


def test_what_a_pickle_would_import_is_not_imported():
    assert "this" not in sys.modules
    found = deserialized(b"\x80\x04cthis\ns\n.")
    assert found is not None
    assert found.data == "this.s"
    assert "this" not in sys.modules


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04Pexternal\n.", b"\x80\x04K\x01Q.", b"\x80\x02\x82\x01.", b"\x80\x05\x97.",
        b"\x80\x04.", b"\x80\x04K\x01K\x02.", b"\x80\x04(.", b"\x80\x04(K\x010.", b"\x80\x040.",
        b"\x80\x04K\x01a.", b"\x80\x04K\x01K\x02s.", b"\x80\x04h\x05.", b"\x80\x04K\x01b.",
        b"\x80\x04}(K\x01u.", b"\x80\x04](K\x01\x90.", b"\x80\x04K\x01K\x02\x93.", b"\x80\x04",
        b"\x80\x04K\x01.K\x02.", b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", b"\x80\x04o.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xffN.N", b"\x80\x04R.", b"\x80\x042.",
    ],
)  # fmt: skip
def test_a_broken_pickle_is_shown_as_it_is(data):
    assert deserialized(data) is None
    assert held(data) == as_stored(data)


def _doubled(value, times):
    for _ in range(times):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    "value",
    [_doubled(1, 60), _doubled("x" * 50_000, 8), list(range(60_000)), _doubled({"a": 1}, 24)],
    ids=["values", "text", "length", "depth"],
)
def test_a_pickle_that_is_larger_than_it_looks_is_shown_as_it_is(value):
    assert deserialized(pickle.dumps(value)) is None


def test_a_pickle_that_is_deeper_than_python_can_follow_ends_in_a_word():
    for inside in (b"]" * 20_000 + b"a" * 19_999, b"N" + b"\x85" * 20_000):
        found = deserialized(b"\x80\x04" + inside + b".")
        assert found is not None
        assert "<deeper>" in str(found.data)


@pytest.mark.parametrize("compress", [zlib.compress, gzip.compress, bz2.compress, lzma.compress])
def test_a_decompression_bomb_is_shown_as_it_is(compress):
    bomb = compress(bytes(20_000_000))
    assert len(bomb) < 25_000
    assert deserialized(bomb) is None


def test_what_is_compressed_again_and_again_is_shown_as_it_is():
    data = pickle.dumps(1)
    for _ in range(3):
        data = zlib.compress(data)
    assert deserialized(data) is not None
    assert deserialized(zlib.compress(data)) is None


def test_lzma_that_asks_for_gigabytes_is_shown_as_it_is():
    large = lzma.compress(b"x" * 99, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}])
    assert deserialized(large) is None


def test_a_value_that_is_too_long_is_shown_as_it_is():
    assert deserialized(pickle.dumps("x" * 199_000)) is not None
    assert deserialized(pickle.dumps("x" * 200_000)) is None
    assert deserialized(pickle.dumps(b"\xff" * 300_000).decode(errors="backslashreplace")) is None


def test_no_change_of_a_value_does_anything_but_make_it_unreadable():
    """Each is data, or stays as it is; nothing else is raised."""
    draw = random.Random(24)
    seeds = [
        pickle.dumps({"price": 100, "tags": ["new"], "of": Call(int, "5")}, protocol)
        for protocol in range(2, 6)
    ]
    seeds += [zlib.compress(seeds[-1]), b"\x82\xa5price\xcd\x01\x00\xa1a\x91\xc0"]
    codes = [code.code.encode("latin-1") for code in pickletools.opcodes]
    for _ in range(either(3_000, 100_000)):
        data = bytearray(draw.choice(seeds))
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(2, len(data))
            if draw.random() < 0.5:
                data[at : at + draw.randint(0, 1)] = draw.choice(codes)
            else:
                data[at] = draw.randrange(256)
        held(bytes(data))
