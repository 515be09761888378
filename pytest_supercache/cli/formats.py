"""Formats problems of scenario files for terminals, scripts and code hosts."""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from urllib.parse import quote

from pytest_supercache.report.annotations import command
from pytest_supercache.scenario.problems import Problem

_RULE = "scenario"


def as_text(problems: Sequence[Problem]) -> str:
    """Return the same text as pytest shows: place, message, line, caret, hint."""
    return "\n\n".join(map(str, problems))


def as_json(problems: Sequence[Problem]) -> str:
    """Return a list of JSON objects."""
    rows = [
        {
            "path": problem.path,
            "line": problem.line,
            "column": problem.column,
            "width": problem.width,
            "severity": "warning" if problem.is_warning else "error",
            "message": problem.message,
            "hint": problem.hint,
        }
        for problem in problems
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False)


def as_github(problems: Sequence[Problem]) -> str:
    """Return workflow commands, which annotate the lines of a pull request."""
    return "\n".join(map(_github_line, problems))


def as_sarif(problems: Sequence[Problem]) -> str:
    """Return SARIF 2.1.0 for code scanning."""
    run = {
        "tool": {
            "driver": {
                "name": "pytest-supercache",
                "version": version("pytest-supercache"),
                "rules": [
                    {"id": _RULE, "shortDescription": {"text": "A scenario file must be right."}}
                ],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [
            {
                "ruleId": _RULE,
                "level": "warning" if problem.is_warning else "error",
                "message": {"text": _sentence(problem)},
                "locations": [
                    {
                        "physicalLocation": {
                            "artifactLocation": {"uri": quote(problem.path.replace("\\", "/"))},
                            "region": {
                                "startLine": problem.line,
                                "startColumn": problem.column,
                                "endColumn": problem.column + problem.width,
                            },
                        }
                    }
                ],
            }
            for problem in problems
        ],
    }
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


FORMATS: Mapping[str, Callable[[Sequence[Problem]], str]] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
    "sarif": as_sarif,
}


def _github_line(problem: Problem) -> str:
    kind = "warning" if problem.is_warning else "error"
    return command(
        kind,
        _sentence(problem),
        file=problem.path,
        line=problem.line,
        col=problem.column,
        endColumn=problem.column + problem.width,
    )


def _sentence(problem: Problem) -> str:
    return f"{problem.message}: {problem.hint}" if problem.hint else problem.message
