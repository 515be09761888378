"""Files become calls; whatever else is in them is an error that says where."""

import json
import random
import re
from pathlib import Path

import pytest

from pytest_supercache.oracle.linear import recording
from pytest_supercache.oracle.linear.call import NEVER, Call, Json, Model
from pytest_supercache.oracle.linear.check import check_calls
from pytest_supercache.oracle.linear.formats import FORMATS
from pytest_supercache.oracle.linear.recording import RecordingError, read_calls


@pytest.fixture
def read(tmp_path):
    def read(content, *, model="register", format_="jsonl"):
        path = tmp_path / "recorded"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_calls(path, Model(model), FORMATS[format_])

    return read


def event(type_, f, value=None, process=1, **more):
    return json.dumps({"process": process, "type": type_, "f": f, "value": value, **more}) + "\n"


WRITE = event("invoke", "write", 1)
READ = event("invoke", "read")


def test_a_call_reaches_from_the_line_it_begins_to_the_line_it_ends(read):
    assert read(WRITE + "\n" + event("ok", "write", 1)) == [
        Call(process="1", kind="write", value=1, answer=True, called_at=1, returned_at=3)
    ]


def test_a_read_has_the_value_of_its_end(read):
    (call,) = read(event("invoke", "read", 7, key="x") + event("ok", "read", 2, key="x"))
    assert (call.key, call.value, call.answer) == ("x", None, 2)


@pytest.mark.parametrize("end", [event("info", "write"), ""])
def test_a_write_without_an_answer_may_take_effect_at_any_time(read, end):
    (call,) = read(WRITE + end)
    assert call.returned_at == NEVER


@pytest.mark.parametrize(
    "end", [event("info", "read"), event("fail", "read"), "", event("fail", "write")]
)
def test_what_says_nothing_is_left_out(read, end):
    begin = WRITE if "write" in end else READ
    ignored = event("invoke", "read", process=2)
    assert read(begin + end + ignored) == []


def test_a_comparison_that_failed_says_something_and_one_that_was_refused_does_not(read):
    begin = event("invoke", "cas", [1, 2])
    (call,) = read(begin + event("fail", "cas", [1, 2]))
    assert (call.answer, call.returned_at) == (False, 2)
    assert read(begin + event("fail", "cas", error="no connection")) == []


def test_values_that_python_would_take_for_one_are_two(read):
    text = "".join(
        event("invoke", "write", value) + event("ok", "write", value)
        for value in (1, True, "1", 1.0, {"b": 1, "a": [None]}, {"a": [None], "b": 1})
    )
    values = [call.value for call in read(text)]
    assert values == [1, Json("true"), "1", 1, *[Json('{"a":[null],"b":1}')] * 2]
    assert len(set(values)) == 4


JEPSEN = """
INFO  jepsen.util - 0	:invoke	:cas	[1 2]
INFO  jepsen.core - Worker 3 starting
INFO  jepsen.util - 0	:fail	:cas	[1 2]
INFO  jepsen.util - 0   :invoke   :cas   [nil -2]
INFO  jepsen.util - 0   :info   :cas   :timed-out
INFO  jepsen.util - 2	:invoke	:read	nil
INFO  jepsen.util - 2	:fail	:read	:timed-out
INFO  jepsen.util - 2	:invoke	:read	nil
INFO  jepsen.util - 2	:ok	:read	nil
"""


def test_jepsens_log(read):
    calls = read(JEPSEN, format_="jepsen")
    assert [(call.kind, call.value, call.answer, call.returned) for call in calls] == [
        ("cas", (1, 2), False, True),
        ("cas", (None, -2), None, False),
        ("read", None, None, True),
    ]


EDN = r"""
{:process 1, :type :invoke, :f :append, :key "k", :value "say \"x\\y\""}
{:process 2, :type :invoke, :f :get, :key "k", :value nil}
{:process 2, :type :ok, :f :get, :key "k", :value nil}
"""


def test_jepsens_operations_as_edn(read):
    calls = read(EDN, model="kv", format_="jepsen")
    assert {call.kind: (call.key, call.value, call.answer) for call in calls} == {
        "append": ("k", 'say "x\\y"', None),
        "get": ("k", None, ""),
    }


EDN_AS_WRITTEN_TODAY = """
{:type :invoke, :f :cas, :value [1 2], :process 0, :time 10, :index 0}
{:type :info, :f :kill, :value :all, :process :nemesis, :time 11, :index 1}
#jepsen.history.Op{:index 2, :time 12, :type :fail, :process 0, :f :cas, :value [1 2]}
{:type :invoke, :f :cas, :value [1 2], :process 0, :time 13, :index 3}
{:type :fail, :f :cas, :value [1 2], :process 0, :time 14, :index 4, :error :no-leader}
{:type :invoke, :f :read, :process 0, :key 7, :index 5}
{:type :ok, :f :read, :value 3, :process 0, :key 7, :index 6}
"""


def test_edn_with_other_fields_in_any_order(read):
    calls = read(EDN_AS_WRITTEN_TODAY, format_="jepsen")
    assert [(call.kind, call.key, call.value, call.answer) for call in calls] == [
        ("cas", "", (1, 2), False),
        ("read", "7", None, 3),
    ]


DEEP = '{"process": 1, "type": "invoke", "f": "write", "value": ' + "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        ("", 1, "an empty recording proves nothing"),
        ("\n\n", 2, "no call up to here"),
        ("{", 1, "not JSON"),
        (WRITE + b"\xff".decode("latin-1"), 2, "not JSON"),
        (DEEP + "}", 1, "nested too deeply"),
        ("[1]", 1, "expected an object with process"),
        (event("begin", "write", 1), 1, "type (invoke, ok, fail or info)"),
        (event("invoke", "write", 1, process=None), 1, "process must be a text or a whole number"),
        (event("invoke", "write", 1, key=[1]), 1, "key must be a text or a whole number"),
        (event("invoke", "put", "1"), 1, "use --model kv"),
        (event("invoke", "pop", "1"), 1, "'pop' is no call of --model register"),
        (event("invoke", "cas", 1), 1, "a cas needs two values"),
        ('{"process": 1, "type": "invoke", "f": "write"}', 1, "a write needs a value"),
        ('{"process": 1, "type": "invoke", "f": "write", "value": NaN}', 1, "NaN is no JSON"),
        (WRITE.replace("{", '{"process": 2, ', 1), 1, "an object has the key 'process' twice"),
        ('{"process": 1, "type": "invoke", "f": "write", "value": [1e999]}', 1, "too large"),
        (READ + '{"process": 1, "type": "ok", "f": "read"}', 2, "what it returned"),
        (event("ok", "write", 1), 1, "no call in progress"),
        (WRITE + event("ok", "read", 1), 2, "called write in line 1"),
        (WRITE + event("ok", "write", 1, key="x"), 2, "what ends here is another call"),
        (WRITE + event("ok", "write", 2), 2, "another value in line 1"),
        (WRITE + "\n" + WRITE, 3, "calls again before its call of line 1 has ended"),
        (event("invoke", "write", int("9" * 4000)).replace("9", "99"), 1, "not JSON"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_file_and_line(read, content, line, says):
    with pytest.raises(RecordingError) as error:
        read(content)
    assert f"recorded:{line}: " in str(error.value)
    assert says in str(error.value)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("INFO  jepsen.util - 0 :invoke :write", "a write needs a value"),
        ("INFO  jepsen.util - 0 :begin :write 1", "expected an event of Jepsen"),
        ("0 :invoke :write 1", "expected an event of Jepsen"),
        ("INFO  jepsen.util - 0 :invoke :write 1.5", "cannot read the value '1.5'"),
        ('{:process 1, :type :ok, :f :write, :key "x", :value "}', "expected an event of Jepsen"),
        ("{:process 1, :type :ok, :f :write, :value 1, :value 2}", "expected an event of Jepsen"),
        ("{:process 1, :type :ok, :f :write, :value {:a 1}}", "expected an event of Jepsen"),
        ("{:process 1, :type :ok, :f :write, :value 1.5}", "cannot read the value '1.5'"),
        ("{:process 1, :type :ok, :f :write, :value 1", "expected an event of Jepsen"),
        ("{", "expected an event of Jepsen"),
        ('{:process 1, :type :run, :f :write, :key "x", :value 1}', "expected an event of Jepsen"),
        (r'{:process 1, :type :ok, :f :write, :key "\q", :value 1}', "cannot read the text"),
    ],
)
def test_so_are_lines_that_jepsen_does_not_write(read, content, says):
    with pytest.raises(RecordingError, match="recorded:1: ") as error:
        read(content, format_="jepsen")
    assert says in str(error.value)


def test_bytes_that_are_no_text_are_an_error_with_their_place(read):
    with pytest.raises(RecordingError, match="recorded:2: not UTF-8: byte 0xff at 3"):
        read(WRITE.encode() + b"{ \xff}")


def test_texts_are_what_a_key_value_store_holds(read):
    with pytest.raises(RecordingError, match="recorded:1: the values of --model kv are texts"):
        read(event("invoke", "put", 1), model="kv")
    with pytest.raises(RecordingError, match="recorded:2: the values of --model kv are texts"):
        read(event("invoke", "get") + event("ok", "get", 1), model="kv")
    (call,) = read(event("invoke", "get") + event("ok", "get", None), model="kv")
    assert call.answer == ""


def test_the_mark_that_some_programs_put_before_a_text_is_no_part_of_it(tmp_path):
    path = tmp_path / "trace.jsonl"
    path.write_text(WRITE, encoding="utf-8-sig")
    assert len(read_calls(path, Model.REGISTER, FORMATS["jsonl"])) == 1


def test_a_line_without_end_is_not_read_to_its_end(tmp_path):
    with (tmp_path / "long").open("wb") as file:
        file.truncate(100 << 20)
    with pytest.raises(RecordingError, match=r"long:1: a line of more than 1,048,576 bytes"):
        read_calls(tmp_path / "long", Model.REGISTER, FORMATS["jsonl"])


@pytest.mark.parametrize("limit", ["RECORDING_EVENTS_MAX", "RECORDING_BYTES_MAX"])
def test_nor_is_a_file_without_end(read, monkeypatch, limit):
    monkeypatch.setattr(recording, limit, 2)
    with pytest.raises(RecordingError, match=r"recorded:\d: more than"):
        read((WRITE + event("ok", "write", 1)) * 3)


def test_a_file_that_cannot_be_read_is_an_error_too(tmp_path):
    with pytest.raises(RecordingError, match="missing:1: cannot be read: No such file"):
        read_calls(tmp_path / "missing", Model.REGISTER, FORMATS["jsonl"])


@pytest.mark.parametrize(
    ("name", "model", "format_"),
    [("etcd_024.log", "register", "jepsen"), ("c01-bad.txt", "kv", "jepsen"), ("", "kv", "jsonl")],
)
def test_whatever_happens_to_a_file_it_has_an_answer_or_an_error_with_its_line(
    read, name, model, format_
):
    whole = EVENTS.encode() if not name else (CORPUS / name).read_bytes()
    rng, refused = random.Random(5), []
    for _ in range(150):
        broken = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(broken))
            end = min(len(broken), at + rng.choice((1, 1, 1, 40)))
            broken[at:end] = rng.choice((b"", bytes([rng.randrange(256)]), broken[at:end] * 2))
        try:
            check_calls(read(bytes(broken), model=model, format_=format_), ("",), budget=2_000)
        except RecordingError as error:
            refused.append(str(error))
    assert all(re.search(r"recorded:\d+: \S", text) for text in refused)
    assert 20 < len(refused) < 150


EVENTS = "".join(
    event(type_, f, value, process=at, key="k")
    for at, (f, value) in enumerate([("put", "x1"), ("append", "x2"), ("get", "x1x2")] * 5)
    for type_ in ("invoke", "ok")
)
CORPUS = Path(__file__).parents[3] / "corpus" / "porcupine"
