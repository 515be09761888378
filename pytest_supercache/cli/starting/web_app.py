"""Looks at an application on FastAPI or Flask: two of its routes, and its databases."""

import importlib
import re
import sys
import traceback
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from pytest_supercache.cli.starting.databases import DatabaseCode, databases
from pytest_supercache.cli.starting.found import NUMBERS, TEXTS, FirstFlow, Look
from pytest_supercache.cli.starting.request_fields import fields_of
from pytest_supercache.cli.starting.sources import Application, applications, module_names
from pytest_supercache.cli.starting.table_rows import TableRow, row_for
from pytest_supercache.cli.starting.writing import request

_CLASSES = {"fastapi": "FastAPI", "flask": "Flask"}
_WRITING = ("put", "patch", "post")
_NO_ROUTES = (
    "two routes that belong together: a GET with one parameter in its path, and a PUT, PATCH or "
    "POST with one below the same path that takes a number or a text"
)


_INSERT = """\
with {engine}.begin() as connection:
    table = {metadata}.tables["{row.table}"]
    connection.execute(table.delete())
    connection.execute(table.insert(), {{{values}}})
"""


class Change(NamedTuple):
    """A route that changes something: its method, its path, and how a client calls it."""

    method: str
    path: str
    field: str
    argument: str
    is_number: bool


def look(root: Path, framework: str) -> Look:
    """Return what a project on FastAPI or Flask offers for a first scenario."""
    seen = Look()
    candidates = applications(root, _CLASSES[framework])
    if not candidates:
        seen.missing.append(f"no {_CLASSES[framework]}(...) in the Python files below {root}")
    for candidate in candidates:
        if seen.flow is None:
            _look_at(candidate, root, framework, seen)
    return seen


def _look_at(candidate: Application, root: Path, framework: str, seen: Look) -> None:
    where = f"{candidate.file.relative_to(root)}:{candidate.line}"
    if candidate.required:
        needed = ", ".join(candidate.required)
        seen.missing.append(f"{candidate.name}({needed}) in {where} needs arguments")
        return
    module = _imported(candidate, root, seen)
    if module is None:
        return
    made = getattr(module, candidate.name)
    app = made() if candidate.is_factory else made
    call = f"{candidate.name}()" if candidate.is_factory else candidate.name
    seen.found.append(f"the application: {call} in {where}")
    routes = of_fastapi(app) if framework == "fastapi" else of_flask(app)
    best = best_pair(*routes)
    if best is None:
        seen.missing.append(_NO_ROUTES)
        return
    page, key, change = best
    seen.found.append(f"GET {page}, {change.method.upper()} {change.path} with {change.field}")
    code = databases(root, seen, app)
    if seen.notes and candidate.optional:
        taken = ", ".join(candidate.optional)
        seen.notes.append(f"{candidate.name}() takes {taken}: give it what is the execution's own")
    row = code.engine and row_for(code.tables, page, change.field, key) if code.tables else None
    if row:
        seen.found.append(f"the table {row.table}: each execution has a row with {change.field}")
    seen.flow = _flow(framework, module.__name__, candidate, best, code, row or None)


def _imported(candidate: Application, root: Path, seen: Look) -> ModuleType | None:
    """Import the module of an application from the first folder where that works."""
    said = ""
    for folder, name in module_names(candidate.file, root):
        sys.path.insert(0, str(folder))
        try:
            module = importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - whatever the project's own code raises
            said = traceback.format_exception_only(error)[-1].strip()
            sys.path.remove(str(folder))
            continue
        seen.import_root = str(folder)
        return module
    seen.missing.append(f"{candidate.file.relative_to(root)} cannot be imported: {said}")
    return None


Pages = list[tuple[str, str]]
"""The path of each page, with {key}, and a key for it."""


def best_pair(pages: Pages, changes: list[Change]) -> tuple[str, str, Change] | None:
    """Return the page, its key and the change that most probably belong together."""
    pairs = [
        (page, key, change)
        for page, key in pages
        for change in changes
        if page.partition("{key}")[0] == change.path.partition("{key}")[0]
    ]
    return min(pairs, key=_unlikeliness, default=None)


def _unlikeliness(pair: tuple[str, str, Change]) -> tuple[object, ...]:
    page, _, change = pair
    is_form = page == change.path and change.method == "post" and "json=" not in change.argument
    return (
        is_form,  # a form is shown by the view that takes it
        page != change.path,
        not change.is_number,
        _WRITING.index(change.method),
        len(page),
        page,
    )


def of_fastapi(app: Any) -> tuple[Pages, list[Change]]:
    """Return the pages and the changes of an application on FastAPI, from its OpenAPI schema."""
    spec = app.openapi()
    pages, changes = [], []
    for path, methods in spec.get("paths", {}).items():
        names = re.findall(r"\{(\w+)\}", path)
        if len(names) != 1:
            continue
        keyed = path.replace(f"{{{names[0]}}}", "{key}")
        for method, asked in methods.items():
            parameters = {one["name"]: one for one in asked.get("parameters", ())}
            if method == "get":
                form = parameters.get(names[0], {}).get("schema", {}).get("format")
                pages.append((keyed, f"{0:08}-0000-4000-8000-{1:012}" if form == "uuid" else "1"))
            elif method in _WRITING and (taken := _taken(asked, spec)):
                changes.append(Change(method, keyed, *taken))
    return pages, changes


def _taken(asked: dict[str, Any], spec: dict[str, Any]) -> tuple[str, str, bool] | None:
    """Return the field that a request changes, the client's argument, whether it is a number."""
    content = asked.get("requestBody", {}).get("content", {})
    for media, argument in (
        ("application/json", "json"),
        ("application/x-www-form-urlencoded", "data"),
    ):
        if media in content:
            return _in_body(_resolved(content[media].get("schema", {}), spec), argument, spec)
    queries = {
        one["name"]: _resolved(one.get("schema", {}), spec)
        for one in asked.get("parameters", ())
        if one.get("in") == "query"
    }
    return _chosen(queries, set(queries), "params")


def _in_body(
    schema: dict[str, Any], argument: str, spec: dict[str, Any]
) -> tuple[str, str, bool] | None:
    if (is_number := _is_number(schema)) is not None:
        return "a value", f"{argument}=value", is_number
    known = {name: _resolved(one, spec) for name, one in schema.get("properties", {}).items()}
    return _chosen(known, set(schema.get("required", ())), argument)


def _chosen(
    known: dict[str, dict[str, Any]], needed: set[str], argument: str
) -> tuple[str, str, bool] | None:
    """Choose a number, else a text, and fill in what else is needed."""
    kinds = {name: kind for name, one in known.items() if (kind := _is_number(one)) is not None}
    if not kinds or needed - kinds.keys():
        return None  # an object, a list or a date is needed: nobody can guess one
    name = next((name for name, is_number in kinds.items() if is_number), next(iter(kinds)))
    others = [
        f'"{one}": {1 if kinds[one] else chr(34) + "x" + chr(34)}'
        for one in kinds
        if one in needed - {name}
    ]
    return (
        name,
        f"{argument}={{{', '.join([f'{chr(34)}{name}{chr(34)}: value', *others])}}}",
        kinds[name],
    )


def _is_number(schema: dict[str, Any]) -> bool | None:
    """Say whether a value is a number; False: a text; None: neither, or its values are limited."""
    limited = {"enum", "const", "format", "pattern"} & schema.keys()
    if limited or schema.get("maximum", schema.get("exclusiveMaximum", 1000)) < 1000:
        return None
    return {"integer": True, "number": True, "string": False}.get(str(schema.get("type")))


def _resolved(schema: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference, and take what is no null of several kinds."""
    if "$ref" in schema:
        found: Any = spec
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return _resolved(found, spec)
    kinds = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    numbers = [one for one in kinds if one.get("type") in {"integer", "number"}]
    return _resolved((numbers or kinds)[0], spec) if kinds else schema


def of_flask(app: Any) -> tuple[Pages, list[Change]]:
    """Return the pages and the changes of an application on Flask, from its rules and views."""
    pages, changes = [], []
    for rule in app.url_map.iter_rules():
        if len(rule.arguments) != 1 or rule.endpoint == "static":
            continue
        path = re.sub(r"<(?:[^<>]+:)?\w+>", "{key}", rule.rule)
        view = app.view_functions[rule.endpoint]
        if "GET" in rule.methods:
            pages.append((path, f"{0:08}-0000-4000-8000-{1:012}" if "<uuid:" in rule.rule else "1"))
        changes += [Change(method, path, *taken) for method, taken in _changes_of(rule, view)]
    return pages, changes


def _changes_of(rule: Any, view: Any) -> Iterator[tuple[str, tuple[str, str, bool]]]:
    for method in _WRITING:
        function = getattr(getattr(view, "view_class", None), method, view)
        if method.upper() not in rule.methods or (taken := fields_of(function)) is None:
            continue
        argument = {"json": "json", "form": "data", "params": "query_string"}[taken.kind]
        if not taken.names:
            yield method, ("a value", f"{argument}=value", True)
            continue
        others = "".join(f', "{name}": 1' for name in taken.names[1:])
        field = taken.names[0]
        yield method, (field, f'{argument}={{"{field}": value{others}}}', True)


def _flow(
    framework: str,
    module: str,
    candidate: Application,
    best: tuple[str, str, Change],
    code: DatabaseCode,
    row: TableRow | None,
) -> FirstFlow:
    page, key, change = best
    package, _, name = module.rpartition(".")
    named = f"import {name} as application"
    as_application = partial(re.sub, rf"\b{re.escape(module)}\.", "application.")
    client = ["import httpx"] if framework == "fastapi" else []
    return FirstFlow(
        style=framework,
        system=module.partition(".")[0],
        page=page,
        field=change.field,
        values=NUMBERS if (row or change).is_number else TEXTS,
        key=key,
        change=request(framework, change.method, change.path, change.argument),
        application=f"application.{candidate.name}{'()' if candidate.is_factory else ''}",
        imports=(
            *client,
            f"from {package} {named}" if package else named,
            *(line for line in code.imports if line != f"import {module}"),
        ),
        blocks=tuple(as_application(block) for block in code.blocks),
        contexts=tuple(as_application(context) for context in code.contexts),
        rows=as_application(
            _INSERT.format(
                engine=code.engine,
                metadata=code.metadata,
                row=row,
                values=", ".join(f'"{name}": {value}' for name, value in row.values.items()),
            )
        )
        if row
        else "",
    )
