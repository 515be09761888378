"""JUnit XML of a run, from ``verdict.json``; and what pytest's own ``--junitxml`` is told."""

from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree as Xml

from pytest_supercache.report.complaints import complaints, path_of, sentence
from pytest_supercache.report.values import pasted, short

Json = Mapping[str, Any]

_VALUE_MAX = 4_000


def properties(row: Json) -> list[tuple[str, str]]:
    """Return what a test case says beside its outcome; only what is known."""
    found = row["counterexample"] or {}
    said: Iterable[tuple[str, object]] = (
        ("verdict", row["verdict"]),
        ("stated", row["stated"]),
        ("label", row["label"]),
        ("guarantee", row["guarantee"]),
        ("class", found.get("conflict_class")),
        ("fingerprint", found.get("fingerprint")),
        ("coverage", row["coverage"]),
        ("token", pasted(found.get("token"))),
        ("replay", pasted(row["replay"])),
    )
    return [(f"supercache_{name}", short(value, _VALUE_MAX)) for name, value in said if value]


def junit(document: Json) -> str:
    """Return a suite with one case a row; what is complained about and not accepted failed."""
    rows = document["scenarios"]
    failed = {(one.id, one.path): one for one in complaints(document) if one.waiver is None}
    suite = Xml.Element(
        "testsuite",
        name="supercache",
        tests=str(len(rows)),
        failures=str(len(failed)),
        errors="0",
        skipped="0",
        time=f"{sum(row['seconds'] for row in rows):.3f}",
    )
    if document.get("when"):
        suite.set("timestamp", short(document["when"]))
    for row in rows:
        case = Xml.SubElement(
            suite,
            "testcase",
            classname=path_of(row),
            name=short(row["id"]),
            time=f"{row['seconds']:.3f}",
        )
        block = Xml.SubElement(case, "properties")
        for name, value in properties(row):
            Xml.SubElement(block, "property", name=name, value=value)
        one = failed.get((short(row["id"]), path_of(row)))
        if one is not None:
            Xml.SubElement(case, "failure", message=sentence(row)).text = one.message
    suites = Xml.Element("testsuites")
    suites.append(suite)
    Xml.indent(suites)
    text = Xml.tostring(suites, encoding="unicode", xml_declaration=False)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'
