"""Formats accesses to shared memory for people, with the value that is read or written."""

from pytest_supercache.core.trace import Step
from pytest_supercache.report.values import held, short

VALUE_MAX = 40


def label_with_value(step: Step) -> str:
    """Return a step's label; for an access to shared memory with its value, if that is known.

    ``read Shop.near['k'] -> 100``, ``write Shop.near['k'] = 100``
    """
    verb, _, what = step.label.partition(" ")
    sign = _SIGNS.get(verb)
    if step.kind != "memory" or sign is None:
        return step.label
    for place, content in (step.memory or {}).items():
        for key, value in content.items():
            if what in {f"{place}[{key!r}]", f"{place}[{key}]"} or (not key and what == place):
                return f"{step.label} {sign} {short(held(value), VALUE_MAX)}"
    return step.label


_SIGNS = {"read": "->", "write": "="}
