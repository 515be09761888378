"""Writes JUnit XML from ``verdict.json``, and the properties for pytest's own ``--junitxml``."""

from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree as Xml

from pytest_supercache.report.complaints import complaints, path_of, sentence
from pytest_supercache.report.values import pasted, short

Json = Mapping[str, Any]

_VALUE_MAX = 4_000


def properties(row: Json) -> list[tuple[str, str]]:
    """Return the known properties of a test case, besides its outcome."""
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
    """Return a suite with one case per row; a complaint that no waiver accepts is a failure."""
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
