"""Describes calls that are not linearizable, as text, with the reason."""

from collections.abc import Callable, Iterator, Sequence

from pytest_supercache.oracle.linear.call import READS, Call, Json
from pytest_supercache.oracle.linear.check import Answer
from pytest_supercache.oracle.linear.smallest import Core
from pytest_supercache.oracle.linear.zones import Reason
from pytest_supercache.report.values import clean, pad, shown, width_of

_VALUE_MAX = 60
_CALLS_MAX = 40
_OTHERS_MAX = 5

_REASONS = {
    Reason.FROM_NOWHERE: "a value was read that nobody had written",
    Reason.TOO_EARLY: "a value was read before anybody began to write it",
    Reason.ENTWINED: "each value was written once, and the answers need one, the other, and back",
    Reason.OVERWRITTEN: "a value was written once, and read again after another had replaced it",
    Reason.NO_ORDER: "whatever is put first, some answer does not fit",
}


def order_text(core: Core, reason: Reason, total: int) -> str:
    """Explain a violation: the calls, and why no other call matters."""
    lines = [headline(core, total), *_rows(core.calls, _CALLS_MAX), f"  {_REASONS[reason]}"]
    if core.since is not None:
        lines[-1] += f", whatever the key held before line {core.since}"
    if core.others:
        lines.append(
            "  these could take effect at any time once called, or never, and do not help:"
        )
        lines += _rows(core.others, _OTHERS_MAX, request_text)
    elif len(core.calls) < total:
        lines.append("  no other call could have had anything to do with it")
    if not core.minimal:
        lines.append("  some of these calls may be needless: it became too hard to leave out more")
    return "\n".join(lines)


def headline(core: Core, total: int) -> str:
    """Say that the calls fit no order: how many of how many, on which key."""
    what = "this call fits" if len(core.calls) == 1 else "these calls fit"
    key = core.calls[0].key
    on = f" on {_short(shown(key))}" if key else ""
    return f"  no order in which {what} ({len(core.calls)} of {total:,}{on}):"


def unknown_text(answer: Answer) -> str:
    """Explain an UNKNOWN: what remained open, and what to do."""
    keys = [_short(shown(key)) if key else "the only one" for key in answer.undecided[:10]]
    more = len(answer.undecided) - len(keys)
    listed = ", ".join(keys) + (f" and {more} more" if more else "")
    return (
        f"  not decided within {answer.steps:,} steps: key {listed}; nothing wrong was found so "
        "far, and nothing was proved. Give it more steps (--budget), or record fewer calls that "
        "overlap or have no answer"
    )


def call_text(call: Call) -> str:
    """Return a call and its answer: ``write x = 1``, ``read x -> 1``."""
    if call.kind in READS:
        return f"{request_text(call)} -> {_value(call.answer)}"
    if not call.returned:
        return f"{request_text(call)}: outcome unknown"
    if call.kind == "cas":
        return f"{request_text(call)}: {'ok' if call.answer else 'failed'}"
    return request_text(call)


def request_text(call: Call) -> str:
    """Return a call without its answer: ``write x = 1``, ``cas x 1 to 2``."""
    key = f" {_short(shown(call.key))}" if call.key else ""
    if call.kind in READS:
        return f"{call.kind}{key}"
    if call.kind == "cas":
        return f"cas{key} {_value(call.value[0])} to {_value(call.value[1])}"
    return f"{call.kind}{key} {'+=' if call.kind == 'append' else '='} {_value(call.value)}"


def _rows(
    calls: Sequence[Call], most: int, text: Callable[[Call], str] = call_text
) -> Iterator[str]:
    places = [_place(call, text is call_text) for call in calls[:most]]
    whos = [f"process {_short(clean(call.process))}" for call in calls[:most]]
    for call, place, who in zip(calls, places, whos, strict=False):
        yield f"    {pad(place, _widest(places))}  {pad(who, _widest(whos))}  {text(call)}"
    if len(calls) > most:
        yield f"    ... and {len(calls) - most:,} more"


def _place(call: Call, whole: bool) -> str:
    if whole and call.returned:
        return f"lines {call.called_at}-{call.returned_at}"
    return f"line {call.called_at}"


def _value(value: object) -> str:
    if value is None:
        return "nil"
    return _short(clean(value.text) if isinstance(value, Json) else shown(value))


def _short(text: str) -> str:
    if width_of(text) <= _VALUE_MAX:
        return text
    half = _VALUE_MAX // 2
    return f"{text[:half]}...{text[-half:]} ({len(text):,} characters)"


def _widest(texts: Sequence[str]) -> int:
    return max(map(width_of, texts))
