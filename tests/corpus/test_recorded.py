"""Recordings of real systems, with the answers that are known for them.

All of porcupine's files, when they are at hand: ``python -m benchmarks.histories --verdicts DIR``.
"""

from pathlib import Path

import pytest

from pytest_supercache.core.verdict import Verdict
from pytest_supercache.oracle.linear.call import Model
from pytest_supercache.oracle.linear.check import check_calls
from pytest_supercache.oracle.linear.formats import FORMATS
from pytest_supercache.oracle.linear.recording import read_calls
from pytest_supercache.oracle.linear.smallest import smallest_core
from pytest_supercache.report.order_text import order_text

FOLDER = Path(__file__).parent / "porcupine"


def judged(name, model):
    calls = read_calls(FOLDER / name, model, FORMATS["jepsen"])
    return calls, check_calls(calls, (model.initial,))


@pytest.mark.parametrize(
    ("name", "model", "calls", "verdict"),
    [
        ("etcd_002.log", Model.REGISTER, 77, Verdict.HOLDS),
        ("etcd_024.log", Model.REGISTER, 82, Verdict.VIOLATED),
        ("c01-ok.txt", Model.KV, 58, Verdict.HOLDS),
        ("c01-bad.txt", Model.KV, 38, Verdict.VIOLATED),
    ],
)
def test_a_recorded_history_gets_the_answer_that_is_known_for_it(name, model, calls, verdict):
    read, answer = judged(name, model)
    assert (len(read), answer.verdict) == (calls, verdict)


def test_an_etcd_that_went_back_to_an_old_value_is_shown_in_four_calls():
    calls, answer = judged("etcd_024.log", Model.REGISTER)
    core = smallest_core(calls, answer.clash, (None,))
    assert order_text(core, answer.clash.reason, len(calls)) == (
        "  no order in which these calls fit (4 of 82):\n"
        "    lines 53-54  process 1  cas 3 to 1: ok\n"
        "    lines 59-60  process 5  read -> 3\n"
        "    lines 63-64  process 7  read -> 1\n"
        "    lines 66-67  process 9  read -> 3\n"
        "  whatever is put first, some answer does not fit, whatever the key held before line 53\n"
        "  these could take effect at any time once called, or never, and do not help:\n"
        "    line 43  process 3  write = 3\n"
        "    line 46  process 0  write = 4\n"
        "    line 51  process 4  cas 4 to 1"
    )


def test_without_its_last_read_the_same_etcd_has_an_order():
    calls, _ = judged("etcd_024.log", Model.REGISTER)
    calls = [call for call in calls if call.called_at < 66]
    assert check_calls(calls, (None,)).verdict is Verdict.HOLDS
