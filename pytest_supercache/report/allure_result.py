"""Converts an item to a result file of Allure, and makes the files that accompany results.

Names follow Allure's own format (version 2, which Allure 3 reads, too). The id of the history is
made from the item's name only: the token and the seed vary, the scenario does not.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

from pytest_supercache.report.complaints import sentence, short_lines
from pytest_supercache.report.links import Patterns, address_of
from pytest_supercache.report.markdown import escaped
from pytest_supercache.report.step_lines import steps_of
from pytest_supercache.report.values import TEXT_MAX, pasted, short
from pytest_supercache.report.words import headline

Json = Mapping[str, Any]

ITEM = "_supercache_item"
"""The label by which the end of a run finds our results; Allure hides such names."""

NAME_MAX = 300
STEPS_MAX = 60
LINES_MAX = 300
_ITEM = re.compile(r"- |(?P<number>\d+)\. ")
_BREAK = "  \n"
_BROKEN = "The test set-up or the scenario is broken"
_DOCUMENTED = "Documented conflict"


def labels_of(row: Json, patterns: Patterns) -> list[tuple[str, str]]:
    """Return the labels: the scenario is the feature, its systems and cases are the stories.

    A ticket without an address is a label of its kind.
    """
    found = row["counterexample"] or {}
    name = str(row["id"])
    base, _, variant = name.partition("[")
    title = title_of({**row, "id": base})
    said = [
        ("epic", "supercache"),
        ("feature", title),
        ("story", variant.removesuffix("]") or row["system"] or base),
        ("severity", row["severity"]),
        ("owner", row["owner"]),
        *(("tag", tag) for tag in row["tags"]),
        ("tag", row["verdict"]),
        ("conflict_class", found.get("conflict_class")),
        *_tickets(row, patterns),
        (ITEM, row["node_id"]),
    ]
    return list(dict.fromkeys((kind, short(value, NAME_MAX)) for kind, value in said if value))


def _tickets(row: Json, patterns: Patterns) -> list[tuple[str, str]]:
    """Return what the scenario links to and has no address, by kind."""
    links = [(str(kind), str(target)) for kind, target in (row["links"] or {}).items()]
    return [(short(kind), text) for kind, text in links if address_of(kind, text, patterns) is None]


def title_of(row: Json) -> str:
    """Return the title of an item."""
    name, title = str(row["id"]), str(row["title"])
    return short(f"{name}: {title}" if title and not name.startswith(title) else name)


@dataclass(frozen=True, slots=True)
class AllureStep:
    """A step of the failing interleaving; the one that breaks the guarantee has failed."""

    title: str
    failed: bool = False


def steps_shown(row: Json) -> tuple[str, list[AllureStep]]:
    """Return a title that counts the steps of the failing interleaving, and the steps."""
    found = row["counterexample"]
    if not found:
        return row["coverage"] or "nothing was executed", []
    lines = steps_of(found).told
    steps = [
        AllureStep(f"{line.text} ({line.breaks})", failed=True)
        if line.breaks
        else AllureStep(line.text)
        for line in lines
        if line.number is not None or line.breaks
    ]
    if len(steps) > STEPS_MAX:
        kept = [step for at, step in enumerate(steps) if at < STEPS_MAX or step.failed]
        more = f"{len(steps) - len(kept)} more: see the attachment 'timeline'"
        steps = [*kept, AllureStep(more)]
    count = sum(line.number is not None for line in lines)
    return f"the failing interleaving: {count} steps", steps


def description_of(row: Json, words: str, patterns: Patterns) -> str:
    """Return the scenario in words as Markdown whose only markup are line breaks and bold heads.

    Allure 2 shows lists without their marks: so the marks are text, and each item is a line.

    Args:
        row: the item's row of ``verdict.json``.
        words: the scenario in words; ``""`` without any.
        patterns: those of links; a ticket without an address is a line at the end.
    """
    lines = str(words or row["story"] or row["coverage"] or "").split("\n")
    blocks = [[*block] for is_text, block in groupby(lines[:LINES_MAX], key=bool) if is_text]
    said = []
    for block, after in pairwise([*blocks, [""]]):
        is_head = _ITEM.match(block[0]) is None and _ITEM.match(after[0]) is not None
        text = _BREAK.join(map(_line, block))
        said.append(f"**{text}**{_BREAK}" if is_head else f"{text}\n\n")
    if len(lines) > LINES_MAX:
        said.append(f"and {len(lines) - LINES_MAX:,} more lines, in the scenario file")
    said += [f"{escaped(kind)}: {escaped(text)}\n\n" for kind, text in _tickets(row, patterns)]
    return "".join(said).rstrip()


def _line(line: str) -> str:
    mark = _ITEM.match(line)
    if mark is None:
        return escaped(line, TEXT_MAX)
    number = mark["number"]
    shown = f"{number}\\." if number else "\N{BULLET}"
    return f"&nbsp; {shown} {escaped(line[mark.end() :], TEXT_MAX)}"


def message_of(row: Json) -> str:
    """Return the text that Allure shows first and sorts by: verdict, class and evidence."""
    found = row["counterexample"] or {}
    named = f" (class {found['conflict_class']})" if found.get("conflict_class") else ""
    said = [f"{sentence(row)}{named}"]
    said += short_lines(found["violation"]["summary"], 10) if found else row["reasons"]
    return "\n".join(short(line) for line in said)


def result(
    row: Json,
    *,
    words: str,
    start: float,
    stop: float,
    trace: str,
    patterns: Patterns,
) -> dict[str, Any]:
    """Return the result of one item, without its attachments.

    Args:
        row: the item's row of ``verdict.json``.
        words: the scenario in words, Markdown.
        start: Unix time in seconds.
        stop: likewise.
        trace: the full text of the failure.
        patterns: those of links.
    """
    times = {"start": int(start * 1000), "stop": int(stop * 1000)}
    title, steps = steps_shown(row)
    failed = not row["as_stated"]
    done = {"status": "passed", "stage": "finished", **times}
    inner = [{**done, **_step(step), "stop": times["start"]} for step in steps]
    whole = {**done, "status": "failed" if any(step.failed for step in steps) else "passed"}
    message = message_of(row) if failed else documented(row)
    return {
        **_identity(str(row["node_id"])),
        "name": title_of(row),
        "description": description_of(row, words, patterns),
        "status": "failed" if failed else "passed",
        "statusDetails": {"message": message, "trace": trace * failed} if message else {},
        "stage": "finished",
        **times,
        "labels": [
            *({"name": name, "value": value} for name, value in labels_of(row, patterns)),
            *_suite(str(row["path"])),
        ],
        "links": _links(row, patterns),
        "parameters": list(_parameters(row)),
        "steps": [{"name": title, **whole, "steps": inner}],
    }


def _step(step: AllureStep) -> Json:
    return {"name": step.title, "status": "failed" if step.failed else "passed"}


def documented(row: Json) -> str:
    """Return the message of a conflict that is there, as its scenario states; "" without one."""
    if row["verdict"] != "violated" or not row["as_stated"]:
        return ""
    return short_lines(f"{_DOCUMENTED}: {message_of(row)}", 10)[0]


def broken(node_id: str, name: str, *, start: float, stop: float, text: str) -> dict[str, Any]:
    """Return the result of an item that could not run: neither a pass nor a conflict."""
    first = text.strip().splitlines() or ["no message"]
    return {
        **_identity(node_id),
        "name": short(name),
        "status": "broken",
        "statusDetails": {"message": short(first[0]), "trace": text},
        "stage": "finished",
        "start": int(start * 1000),
        "stop": int(stop * 1000),
        "labels": [{"name": "epic", "value": "supercache"}, *_suite(node_id.partition("::")[0])],
    }


def environment(document: Json, before: str = "") -> str:
    """Return ``environment.properties``; lines of other tools in ``before`` are kept."""
    gate = document.get("gate") or {}
    run = {name: document.get(name) for name in ("build", "commit", "dirty", "seed")}
    said = {
        "supercache.verdict": gate.get("verdict") or headline(document),
        **{f"supercache.{name}": value for name, value in run.items()},
        **{f"version.{name}": value for name, value in (document.get("versions") or {}).items()},
    }
    ours = {name: value for name, value in said.items() if value is not None}
    kept = [line for line in before.splitlines() if line.partition("=")[0].strip() not in ours]
    lines = [*kept, *(f"{name}={_escaped(short(value))}" for name, value in ours.items())]
    return "\n".join(lines) + "\n"


def categories(document: Json) -> list[dict[str, Any]]:
    """Return the categories of defects; Allure 2 and 3 read the same list."""
    rows = [row["counterexample"] for row in document["scenarios"] if row["counterexample"]]
    classes = sorted({str(found["conflict_class"]) for found in rows if found["conflict_class"]})
    failed = {"matchedStatuses": ["failed"]}
    return [
        {
            "name": "Known, with a workaround in force",
            "messageRegex": ".*accepted until.*",
            **failed,
        },
        *(
            {
                "name": f"Conflict: {short(name, 100)}",
                "messageRegex": f".*[(]class {_literal(name)}[)].*",
                **failed,
            }
            for name in classes
        ),
        {
            "name": f"{_DOCUMENTED}, as its scenario states",
            "messageRegex": f"{_DOCUMENTED}: .*",
            "matchedStatuses": ["passed"],
        },
        {"name": "UNKNOWN: nothing was proved", "messageRegex": ".*: .*UNKNOWN.*", **failed},
        {"name": _BROKEN, "matchedStatuses": ["broken"]},
    ]


def config(document: Json, results: str) -> dict[str, Any]:
    """Return the configuration by which Allure 3 shows categories and the verdict."""
    verdict = (document.get("gate") or {}).get("verdict") or headline(document)
    return {
        "name": "supercache",
        "output": "allure-report",
        "resultsDir": results,
        "variables": {"verdict": short(verdict)},
        "categories": {"rules": categories(document)},
        "plugins": {
            "awesome": {
                "options": {
                    "singleFile": True,
                    "reportLanguage": "en",
                    "groupBy": ["epic", "feature", "story"],
                }
            }
        },
    }


def completed(
    data: dict[str, Any], rows: Mapping[str, Json], waivers: Mapping[str, Json], patterns: Patterns
) -> bool:
    """Complete a result: its links, its failing step, and the message that says what was found.

    Tags that allure-pytest has made of marks are there only once. The message comes first in a
    failed result, which is marked as known if a waiver accepts it. A result that has passed because
    its conflict is documented says that.

    Returns:
        Whether anything has changed: the result is one of ours.
    """
    labels = data.get("labels") or ()
    names = [label["value"] for label in labels if label["name"] == ITEM]
    row = rows.get(names[0]) if names else None
    if row is None:
        return False
    data["labels"] = [label for at, label in enumerate(labels) if label not in labels[:at]]
    ours = _links(row, patterns)
    data["links"] = [*(link for link in data.get("links") or () if link not in ours), *ours]
    if row["counterexample"] or data.get("status") == "failed":
        _complete_failed(data, row, waivers)
    return True


def _complete_failed(data: dict[str, Any], row: Json, waivers: Mapping[str, Json]) -> None:
    _mark_failing(
        data.get("steps") or (), {step.title for step in steps_shown(row)[1] if step.failed}
    )
    details = data.setdefault("statusDetails", {})
    if data.get("status") == "passed":
        details["message"] = documented(row)
        return
    details["message"] = message_of(row)
    found = row["counterexample"] or {}
    waiver = waivers.get(str(found.get("fingerprint")))
    if waiver is not None:
        details["known"] = True
        said = f"accepted until {waiver['expires']} by {waiver['id']}: {waiver['workaround']}"
        details["message"] += f"\n{short(said)}"


def _mark_failing(steps: Iterable[dict[str, Any]], failing: Collection[str]) -> bool:
    """Give the failing steps, and the steps that contain them, that status."""
    found = False
    for step in steps:
        inside = _mark_failing(step.get("steps") or (), failing)
        if inside or step.get("name") in failing:
            step["status"], found = "failed", True
    return found


def _identity(node_id: str) -> dict[str, str]:
    name = node_id.replace("::", "#")
    mark = hashlib.md5(name.encode(errors="replace"), usedforsecurity=False).hexdigest()
    uuid = "-".join([mark[:8], mark[8:12], mark[12:16], mark[16:20], mark[20:]])
    return {"uuid": uuid, "fullName": short(name), "testCaseId": mark, "historyId": mark}


def _suite(path: str) -> list[dict[str, str]]:
    said = (("suite", short(path)), ("framework", "pytest-supercache"), ("language", "python"))
    return [{"name": name, "value": value} for name, value in said]


def _links(row: Json, patterns: Patterns) -> list[dict[str, str]]:
    return [
        {"type": kind if kind in {"issue", "tms"} else "link", "name": name, "url": address}
        for kind, name, address in links_of(row["links"] or {}, patterns)
    ]


def links_of(links: Json, patterns: Patterns) -> Iterable[tuple[str, str, str]]:
    """Yield the links with an address: kind, name, address; a ticket is its own name."""
    for kind, target in links.items():
        address = address_of(kind, str(target), patterns)
        if address is not None:
            yield short(kind), short(kind if address == short(target) else target), address


def _parameters(row: Json) -> Iterable[dict[str, Any]]:
    found = row["counterexample"] or {}
    executions = str(row["executions"])
    for name, value in (("token", pasted(found.get("token"))), ("executions", executions)):
        if value is not None:
            yield {"name": name, "value": value, "excluded": True}


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\")


def _literal(text: str) -> str:
    return "".join(char if char.isalnum() or char in "-_ " else "." for char in text)
