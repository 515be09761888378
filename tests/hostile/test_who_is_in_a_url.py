"""No output says who one is in a URL, and all of them say everything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.fault import Fault
from pytest_supercache.core.masking import is_masked, masked, masked_data, masked_id, quoted
from pytest_supercache.core.schedule import Schedule, read_token
from pytest_supercache.layers.servers import ForeignServer, shown_address, start_server
from tests.unit.report.outputs import OF_THE_GATE, OUTPUTS, Run
from tests.unit.report.run_of_all_kinds import GATE, document, hostile_finding

URLS = {
    "redis://:secret@host:6379/0": "redis://***@host:6379/0",
    "redis://shop:secret@host": "redis://***@host",
    "rediss://shop:secret@[::1]/1": "rediss://***@[::1]/1",
    "unix://shop:secret@/run/redis.sock": "unix://***@/run/redis.sock",
    "redis://:secret@more@host": "redis://***@host",
    'redis://:sec"ret@host': "redis://***@host",
    "redis://host/0?username=shop&password=secret&db=1": (
        "redis://host/0?username=***&password=***&db=1"
    ),
    "see 'redis://:it\\'s-secret@host', and https://u@v/": (
        "see 'redis://***@host', and https://***@v/"
    ),
    '{"a":"https://:secret@b/","c":"d@e"}': '{"a":"https://***@b/","c":"d@e"}',
}
NONE = [
    "redis://host:6379/0", "https://example.org/@shop", "alice@example.org", "a://b/c?d=e@f",
    '["https://a","b@c"]', "['https://a', 'b@c']", "['https://a','b@c']", "password=secret", "://",
    "{'a':'https://a','c@d':1}", "", "user:secret@host", "https://host/?passwords=2",
]  # fmt: skip


@pytest.mark.parametrize("text", URLS)
def test_the_user_part_of_a_url_is_masked(text):
    assert masked(text) == URLS[text]
    assert masked(URLS[text]) == URLS[text], "once is enough"
    assert is_masked(masked(text))


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_user_part_is_evidence_and_stays(text):
    assert masked(text) == text
    assert not is_masked(text)


@given(st.text(alphabet="a:/@?#&='\"\\ ,*") | st.text())
def test_what_is_masked_stays_so(text):
    assert masked(masked(text)) == masked(text)


@pytest.mark.parametrize("who", ["shop:s3cr3t", "shop:s3c/r3t@x", ":s3c?r3t", "s#r3t", "a:r3t' b"])
def test_a_setting_is_quoted_without_a_password_that_is_written_as_it_is(who):
    """The twin: what has no user part is quoted whole."""
    assert quoted({f"r://{who}@host/0": [f"x r://{who}@host?a=b"]}) == (
        "{'r://***@host/0': ['x r://***@host?a=b']}"
    )
    for kind in (tuple, set):
        assert "***@host" in quoted(kind([f"r://{who}@host"]))
        assert who not in quoted(kind([f"r://{who}@host"]))
    assert quoted(["https://host/a?b", "a@b.c"]) == "['https://host/a?b', 'a@b.c']"


def test_two_names_that_differ_in_who_one_is_stay_two():
    made = masked_data({"r://a@h": [1], "r://b@h": {"x": "r://c@h"}})
    assert made == {"r://***@h": [1], "r://***@h (another)": {"x": "r://***@h"}}


def test_a_message_of_ours_masks_and_moves_no_cursor():
    said = str(SupercacheError("cannot reach redis://:secret@host\n\x1b[2J\u202eno"))
    assert said == "cannot reach redis://***@host\n\\x1b[2J\\u202eno"


def test_a_server_that_does_not_answer_is_named_without_its_user():
    with pytest.raises(SupercacheError, match=r"=redis://\*\*\*@127.0.0.1:1/0: no answer") as told:
        ForeignServer("redis://:secret@127.0.0.1:1/0")
    assert "secret" not in str(told.value)


WRONG = {
    "redis://shop:s3cr3t@h:x/9": "redis://***@h:x/9",
    "redis://shop:s3c/r3t@localhost:1/9": "redis://***@localhost:1/9",
    "redis://shop:5/r3t@localhost:1/9": "redis://***@localhost:1/9",
    "redis://shop:s3c?r3t@localhost:1/9": "redis://***@localhost:1/9",
    "redis://shop:s3c#r3t@localhost:1/9": "redis://***@localhost:1/9",
    "redis://shop:top://s3cr3t@h": "redis://***@h",
    "redis://h:x/0?password=s3cr3t": "redis://h:x/0",
    "redis:shop:s3cr3t@h": "***@h",
    "shop:s3c/r3t@h": "***@h",
    "redis://shop:1/r3t?db=9@h": "redis://***@h",
    "redis://h:1/0?password=s3cr3t&foo=1": "redis://h:1/0",
}


@pytest.mark.parametrize("url", WRONG)
def test_a_server_that_is_named_wrongly_is_refused_without_its_user(url):
    with pytest.raises(SupercacheError) as told:
        start_server(url)
    assert f"--supercache-backend={WRONG[url]}" in str(told.value).replace("'", "")
    assert "r3t" not in f"{told.value} {shown_address(url)}"


@pytest.mark.parametrize(
    "url",
    [
        "redis://:secret@127.0.0.1:1/0",
        "redis://127.0.0.1:1/0?client_name=a@b",
        "redis://127.0.0.1:1/0?password=abc@secret",
    ],
)
def test_a_url_that_is_right_is_used_and_shown_without_its_user(url):
    with pytest.raises(SupercacheError, match="no answer") as told:
        start_server(url)
    assert "secret" not in f"{told.value} {shown_address(url)}"


@pytest.mark.parametrize("name", ["fakeredis", "redis-server", "redis://host/9"])
def test_a_name_without_a_user_is_shown_as_it_is(name):
    assert shown_address(name) == name


@pytest.mark.parametrize("name", {**OUTPUTS, **OF_THE_GATE})
@pytest.mark.parametrize("text", ["redis://:secret@host/0", "see https://shop:secret@host/"])
def test_no_output_has_it(name, text):
    finding = hostile_finding(text)
    gate = {**GATE, "reasons": [text]}
    whole = document([finding], gate) | {"build": masked(text), "commit": masked(text)}
    shown = {**OUTPUTS, **OF_THE_GATE}[name](Run(findings=[finding], document=whole))
    assert "secret" not in shown
    if name in {"verdict.json", "failure.txt", "terminal.txt", "repro.txt", "summary.md"}:
        assert "***" in shown.replace("\\*", "*")


def test_a_token_names_a_key_without_it_and_is_read_as_the_same():
    url = "page:redis://:secret@host/0"
    schedule = Schedule(
        ("alice", Fault("evict", ("existing_cache", masked(url))).name), memory=(("Shop", url),)
    )
    token = schedule.token(f"test_x[{url}]")
    assert "secret" not in token
    item, again = read_token(token)
    assert item == masked_id(f"test_x[{url}]")
    assert again.choices == schedule.choices
    assert again.token(item) == token


@given(st.text(alphabet="a:/@?#&='\"\\ ,*") | st.text())
def test_the_id_of_an_id_is_the_same_and_shows_nothing_that_is_masked(text):
    known = masked_id(text)
    assert masked_id(known) == masked(known) == known
    assert known.startswith(masked(text))
    assert (known == text) == (masked(text) == text)


def test_two_ids_that_differ_in_who_one_is_stay_two():
    urls = ("r://a@h", "r://b@h", "r://***@h", "r://h?password=a", "r://h?password=b")
    names = [f"t[{url}]" for url in urls]
    assert len({masked_id(name) for name in names}) == len(names)
