"""Formats the progress of a long search in one line: work done, speed, work left, best finding."""

from pytest_supercache.core.progress import Progress
from pytest_supercache.report.values import clean, fitting, width_of

_SCHEDULES_SHOWN_MAX = 10**12


def progress_line(name: str, now: Progress, width: int) -> str:
    """Return the line; parts that exceed ``width`` columns are dropped from the end."""
    parts = [
        f"{now.executions:,} run{'' if now.executions == 1 else 's'}",
        _rate(now),
        *_found(now),
        *_left(now),
    ]
    line = fitting(clean(name), max(10, width // 3))
    mark = ": "
    for part in filter(None, parts):
        if width_of(f"{line}{mark}{part}") > width:
            break
        line, mark = f"{line}{mark}{part}", ", "
    return line


def _rate(now: Progress) -> str:
    return f"{now.executions / now.seconds:,.0f}/s" if now.seconds >= 0.1 else ""


def _found(now: Progress) -> list[str]:
    """Describe the findings so far; the smallest one is what will be reported."""
    faults = [f"with {clean(now.faults)}"] if now.faults else []
    if now.best is None:
        return ["nothing found", *faults]
    size = f"{now.best} preemption{'' if now.best == 1 else 's'}"
    return [f"best so far: {clean(now.guarantee or 'a violation')} with {size}", *faults]


def _left(now: Progress) -> list[str]:
    """Describe the work left: at least what is owed, at most all schedules or the budget."""
    left = [f"at least {now.owed:,} to go"] if now.owed else []
    if now.executions < now.schedules <= _SCHEDULES_SHOWN_MAX:
        left.append(f"at most {now.schedules:,} schedules")
    used = max(now.executions / now.executions_max, now.seconds / now.seconds_max)
    return [*left, f"{used:.0%} of the budget"]
