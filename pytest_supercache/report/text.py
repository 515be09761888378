"""Formats the verdict of one item as plain text: the claim, the evidence, then the replay command.

The replay command is the last line and on its own, so that a triple click selects it.
"""

from pytest_supercache.core.result import CheckResult, Counterexample
from pytest_supercache.core.verdict import Label, Verdict, Violation
from pytest_supercache.report.finding import Finding
from pytest_supercache.report.machine_paths import data_without_folders
from pytest_supercache.report.picture import picture
from pytest_supercache.report.timeline import timeline
from pytest_supercache.report.values import LEGEND_MAX, clean, short, wrap
from pytest_supercache.report.verdict_json import counterexample_to_json
from pytest_supercache.report.words import EXPECTED, SLOW, label_in_words, preempted

WIDTH = 120
_INDENT = "  "

_NEXT_WHEN_UNKNOWN = (
    "UNKNOWN is not a pass: nothing was found, and nothing was proved. Remove the reasons above, "
    "or make the flow smaller (fewer users, fewer steps), and run again."
)


def failure_text(finding: Finding, width: int = WIDTH, *, is_wrapped: bool = False) -> str:
    """Return the text that a developer needs to understand one item and to replay it.

    Args:
        finding: the finding of the item.
        width: columns of the picture.
        is_wrapped: whether sentences are wrapped to it, too; text to copy never is.
    """
    result = finding.result
    found = result.counterexample
    above, below = [], [*_reasons(result), *_coverage(result)]
    if finding.title and finding.title != finding.item:
        above.append(f"  {_line(finding.title)}")
    if found is not None:
        above += _violations(result, found)
        below.append(f"  {_confirmation(found)}")
    below += [f"  note: {_line(note)}" for note in result.notes]
    above = data_without_folders(above, finding.root)
    if is_wrapped:
        above, below = _wrapped(above, width), _wrapped(below, width)
    drawn = (
        ["", picture(timeline(counterexample_to_json(found, finding.root)), width), ""]
        if found is not None
        else []
    )
    return "\n".join([line_of_text(finding), *above, *drawn, *below, *_replay(finding)])


def _wrapped(lines: list[str], width: int) -> list[str]:
    """Wrap lines at spaces, with a hanging indent."""
    broken = []
    for line in lines:
        text = line.lstrip(" ")
        room = line[: len(line) - len(text)]
        first, *rest = wrap(text, max(20, width - len(room) - len(_INDENT)))
        broken += [f"{room}{first}", *(f"{room}{_INDENT}{part}" for part in rest)]
    return broken


def line_of_text(finding: Finding) -> str:
    """Return the first line: ``PRICE-07: expected to hold, but VIOLATED read_your_writes``."""
    result = finding.result
    verdict = result.verdict.name
    if result.counterexample is not None:
        verdict += f" {result.counterexample.violation.guarantee}"
    if finding.stated is None:
        return _line(f"{finding.item}: {verdict}")
    if finding.as_stated:
        return _line(f"{finding.item}: {verdict}, as expected")
    if finding.stated == result.verdict.value:
        return _line(f"{finding.item}: {verdict}, but not as expected{_classes(finding)}")
    return _line(f"{finding.item}: {EXPECTED[finding.stated]}, but {verdict}")


def _line(text: str) -> str:
    return short(text, LEGEND_MAX)


def _classes(finding: Finding) -> str:
    stated = [word for word in (finding.stated_label, finding.stated_class) if word]
    if not stated:
        return ""
    found, label = finding.result.counterexample, finding.result.label
    named = (found and found.conflict_class) or "a conflict without a class"
    kind = f"{label.value}, " if finding.stated_label and label else ""
    return f": expected {', '.join(stated)}, found {kind}{named}"


def _violations(result: CheckResult, found: Counterexample) -> list[str]:
    lines = [f"  {_kind(result.label, found)}"] if result.label is not None else []
    lines += [f"  fault: {_line(fault)}" for fault in found.faults]
    lines += [f"  {_line(line)}" for line in found.violation.summary.splitlines()]
    lines += [f"  {_line(line)}" for line in (found.explanation or "").splitlines()]
    others = [other for other in found.violations if other.identity != found.violation.identity]
    return [*lines, *(f"  also violated: {_named(other)}" for other in others)]


def _kind(label: Label, found: Counterexample) -> str:
    """Say what the conflict takes; a single flow has no concurrency, so it was only slow."""
    flows = {step.actor for step in found.execution.race if "@" not in step.actor}
    if label is Label.CONFLICT and len(flows) == 1:
        return SLOW
    return label_in_words(label.value)


def _named(violation: Violation) -> str:
    return _line(f"{violation.guarantee}: {violation.summary}")


def _reasons(result: CheckResult) -> list[str]:
    lines = []
    for reason in result.reasons:
        first, *rest = reason.splitlines() or [""]
        lines += [f"  - {_line(first)}", *(f"    {_line(line)}" for line in rest)]
    if result.verdict is Verdict.UNKNOWN:
        lines.append(f"  {_NEXT_WHEN_UNKNOWN}")
    return lines


def _coverage(result: CheckResult) -> list[str]:
    return [f"  {_line(result.coverage)}"] if result.coverage else []


def _confirmation(found: Counterexample) -> str:
    return f"replays {found.replays} in one process; {preempted(found.preemptions, found.minimal)}"


def _replay(finding: Finding) -> list[str]:
    return ["", f"replay: {clean(finding.replay_command)}"] if finding.replay_command else []
