"""How fast recordings are judged, and whether the answers are right on many of them.

python -m benchmarks.histories                     times, as ratios to sorting the same calls
python -m benchmarks.histories --agree 30000       zones, search and trying everything agree
python -m benchmarks.histories --verdicts DIR      DIR/verdicts.json: file -> true or false
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path

from pytest_supercache.core.verdict import Verdict
from pytest_supercache.oracle.linear.call import READS, Model
from pytest_supercache.oracle.linear.check import check_calls
from pytest_supercache.oracle.linear.formats import FORMATS
from pytest_supercache.oracle.linear.problem import KeyProblem
from pytest_supercache.oracle.linear.recording import read_calls
from pytest_supercache.oracle.linear.search import LinearSearch
from pytest_supercache.oracle.linear.smallest import smallest_core
from pytest_supercache.oracle.linear.zones import check_zones
from tests.calls import REGISTER, Store, has_order, random_calls, record

FIVE = tuple(range(5))
KV = ("get",) * 9 + ("append",) * 10 + ("put",)
STORES = {
    "register, every value once": Store(kinds=REGISTER, calls=100_000, processes=8),
    "register, five values": Store(kinds=REGISTER, calls=100_000, processes=8, values=FIVE),
    "register, five values, cas": Store(
        kinds=("read", "write", "cas"), calls=100_000, processes=8, values=FIVE
    ),
    "register, five values, 5 % unknown": Store(
        kinds=REGISTER, calls=2_000, processes=8, values=FIVE, unknown=0.05
    ),
    "texts, 50 processes, 50 keys": Store(
        kinds=KV, calls=10_000, processes=50, keys=50, initial=""
    ),
    "texts, 50 processes, one key": Store(kinds=KV, calls=2_000, processes=50, initial=""),
}


def main() -> int:
    """Do what was asked for; the exit status is 1 when an answer was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.histories", description=__doc__)
    parser.add_argument(
        "--agree", type=int, metavar="N", help="judge random recordings, N of them by zones too"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--verdicts", type=Path, metavar="DIR", help="judge recorded histories")
    options = parser.parse_args()
    if options.agree:
        return agree(options.agree, options.seed)
    if options.verdicts:
        return verdicts(options.verdicts)
    return speed(options.seed)


def speed(seed: int) -> int:
    """Judge large recordings, right ones and wrong ones; print time a call and the ratio."""
    print(f"{'recording':36}    calls   verdict  seconds us a call  x sort")
    for name, store in STORES.items():
        calls = record(store, random.Random(seed))
        wrong = [read for read in calls if read.kind in READS][-1]
        for verdict in ("right", "wrong"):
            if verdict == "wrong":
                wrong.answer = "never written" if store.initial == "" else -1
            unit = timed(lambda calls=calls: sorted(calls, key=lambda call: call.called_at))[0]
            seconds, answer = timed(lambda c=calls, s=store: check_calls(c, (s.initial,)))
            print(
                f"{name:36} {len(calls):8,} {answer.verdict.name:>9} {seconds:8.3f} "
                f"{seconds / len(calls) * 1e6:9.2f} {seconds / unit:7.1f}"
            )
    return 0


def timed(what):
    """Return the seconds of the process that something takes, and its result."""
    start = time.process_time()
    result = what()
    return time.process_time() - start, result


def agree(number: int, seed: int) -> int:
    """Judge random recordings in every way there is, until the zones have judged so many."""
    rng, counts = random.Random(seed), Counter()
    while counts["zones", "agrees"] + counts["zones", "DISAGREES"] < number:
        calls, initials = random_calls(rng)
        expected = has_order(calls, initials)
        search = LinearSearch(KeyProblem(calls, initials))
        answers = {"search": search.advance(1_000_000) is Verdict.HOLDS}
        if len(initials) == 1 and all(call.kind != "append" for call in calls):
            zones = check_zones(calls, initials[0])
            if zones.exact or zones.clash:
                answers["zones"] = zones.clash is None
        counts["linearizable" if expected else "not"] += 1
        for way, answer in answers.items():
            counts[way, "agrees" if answer is expected else "DISAGREES"] += 1
    for what, count in sorted(counts.items(), key=str):
        print(f"{count:8,} {what if isinstance(what, str) else ' '.join(what)}")
    return int(any("DISAGREES" in what for what in counts))


def verdicts(folder: Path) -> int:
    """Judge recorded histories in Jepsen's formats; those under ``kv/`` hold texts."""
    start, wrong = time.process_time(), 0
    for name, expected in json.loads((folder / "verdicts.json").read_text()).items():
        model = Model.KV if name.startswith("kv/") else Model.REGISTER
        calls = read_calls(folder / name, model, FORMATS["jepsen"])
        answer = check_calls(calls, (model.initial,))
        if answer.clash is not None:
            own = [call for call in calls if call.key == answer.key]
            smallest_core(own, answer.clash, (model.initial,))
        if answer.verdict is not (Verdict.HOLDS if expected else Verdict.VIOLATED):
            wrong += 1
            print(f"{name}: {answer.verdict.name}, expected {expected}")
    print(f"{wrong} wrong, {time.process_time() - start:.2f} s")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
