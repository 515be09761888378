"""Looks at a project on Django: its settings, a page, and a change of a model that it shows."""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from pytest_supercache.cli.starting.found import NUMBERS, TEXTS, FirstFlow, Look
from pytest_supercache.cli.starting.request_fields import fields_of, source_of
from pytest_supercache.cli.starting.writing import request
from pytest_supercache.core.folders import is_in_packages

_VARIABLE = "DJANGO_SETTINGS_MODULE"
_INI_FILES = ("pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
_NUMBERS = ("IntegerField", "DecimalField", "FloatField")
_TEXTS = ("CharField", "TextField")
_WRITING = ("put", "patch", "post")


class View(NamedTuple):
    """A view with one parameter in its path: the path with {key}, the parameter, the function."""

    path: str
    converter: str
    parameter: str
    function: Any


def look(root: Path) -> Look:
    """Return what a project on Django offers for a first scenario."""
    seen = Look(import_root=str(root))
    settings, where = _settings(root)
    if settings is None:
        seen.missing.append(
            f"no {_VARIABLE} in manage.py, {', '.join(_INI_FILES)} or the environment"
        )
        return seen
    if find_spec("pytest_django") is None:
        seen.missing.append(
            "pytest-django, which gives each execution a database: pip install pytest-django"
        )
        return seen
    sys.path.insert(0, str(root))
    os.environ[_VARIABLE] = settings
    try:
        import_module("django").setup()
        _look_at(settings, where, seen)
    except Exception as error:  # noqa: BLE001 - whatever the project's own code raises
        seen.missing.append(f"the project cannot be set up: {type(error).__name__}: {error!s:.300}")
    return seen


def _settings(root: Path) -> tuple[str | None, str]:
    """Return the settings module, and where it is named."""
    for name in _INI_FILES:
        if found := _named(root / name, rf"(?m)^\s*{_VARIABLE}\s*=\s*[\"']?([\w.]+)"):
            return found, name
    if found := os.environ.get(_VARIABLE):
        return found, "the environment"
    return _named(root / "manage.py", rf"{_VARIABLE}[\"'],\s*[\"']([\w.]+)"), "manage.py"


def _named(file: Path, pattern: str) -> str | None:
    found = re.search(pattern, file.read_text(encoding="utf-8")) if file.is_file() else None
    return found[1] if found else None


def _look_at(settings: str, where: str, seen: Look) -> None:
    values, urls = import_module("django.conf").settings, import_module("django.urls")
    caches = ", ".join(
        f"{name} ({one['BACKEND'].rpartition('.')[2]})" for name, one in values.CACHES.items()
    )
    seen.found.append(f"settings {settings} ({where}), caches: {caches}")
    views = list(_views(urls.get_resolver().url_patterns))
    pages = [view for view in views if _method(view.function, ("get",))]
    pairs = [pair for page in pages for pair in _pairs(page, views)]
    best = min(pairs, key=lambda pair: pair[0], default=None)
    if best is None:
        seen.missing.append(
            "a page with one parameter in its path, whose view names a model with a number or a "
            "text that can be changed; pages looked at: "
            f"{', '.join(page.path for page in pages[:8]) or 'none'}"
        )
        return
    _, page, model, field, change = best
    seen.found.append(
        f"GET {page.path}, which shows {model.__module__}.{model.__name__}.{field.name}"
    )
    if change is None:
        seen.found.append(f"no view that changes it, so {model.__name__}.save() is the change")
    else:
        seen.found.append(f"{change[0].upper()} {change[1].path} with {field.name}")
    if _is_async(page, change):
        seen.found.append("views that are coroutines, so the requests are, too")
    in_ini = where in _INI_FILES
    seen.flow = _flow(None if in_ini else settings, page, model, field, change)


def _views(patterns: Iterable[Any], before: str = "/") -> Iterator[View]:
    """Yield the views whose path has one parameter, without those of the admin."""
    routes = import_module("django.urls.resolvers").RoutePattern
    for pattern in patterns:
        if not isinstance(pattern.pattern, routes) or getattr(pattern, "app_name", None) == "admin":
            continue  # a regular expression, or a prefix for each language
        path = before + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from _views(pattern.url_patterns, path)
            continue
        captured = re.findall(r"<(?:(\w+):)?(\w+)>", path)
        if len(captured) == 1:
            keyed = re.sub(r"<(?:\w+:)?\w+>", "{key}", path)
            yield View(keyed, captured[0][0] or "str", captured[0][1], pattern.callback)


def _method(view: Any, names: tuple[str, ...]) -> str | None:
    """Return the first of some methods that a view answers, as its source or its class says."""
    actions = getattr(view, "actions", None)
    if owner := getattr(view, "view_class", None):
        return next((name for name in names if hasattr(owner, name)), None)
    if actions:
        return next((name for name in names if name in actions), None)
    source = source_of(view)
    named = [name for name in names if re.search(rf"\b(require_)?{name.upper()}\b", source)]
    if names == ("get",) and not named:
        return None if re.search(r"\b(require_(POST|http_methods)|PUT|PATCH)\b", source) else "get"
    return named[0] if named else None


Pair = tuple[tuple[object, ...], View, Any, Any, tuple[str, View, str] | None]
"""How unlikely it is, the page, the model, the field, and the change if a view makes it."""


def _pairs(page: View, views: list[View]) -> Iterator[Pair]:
    """Yield what a page may show of a model, each with the view that changes it."""
    source = _source(page.function)
    for model in import_module("django.apps").apps.get_models():
        file = str(getattr(sys.modules.get(model.__module__), "__file__", ""))
        is_named = (
            re.search(rf"\b{model.__name__}\b", source) or model.__name__.lower() in page.path
        )
        if is_in_packages(file) or not is_named or _row(model, page) is None:
            continue
        for field in _simple_fields(model):
            if field.name == page.parameter:
                continue
            changes = [one for view in views if (one := _change(view, page, field.name))]
            change = min(
                changes, key=lambda one: (one[1].path != page.path, one[1].path), default=None
            )
            is_text = field.get_internal_type() in _TEXTS
            is_shown = re.search(rf"\b{field.name}\b", source) is not None
            yield (
                (not is_shown, change is None, is_text, page.path, model.__name__),
                page,
                model,
                field,
                change,
            )


def _source(view: Any) -> str:
    """Return the source of a view and of the module that it is in."""
    owner = getattr(view, "view_class", None) or getattr(view, "cls", None)
    module = sys.modules.get((owner or view).__module__)
    file = getattr(module, "__file__", None)
    return Path(file).read_text(encoding="utf-8") if file else ""


def _change(view: View, page: View, field: str) -> tuple[str, View, str] | None:
    """Return the method, the view and the client's arguments for a change of a field."""
    method = _method(view.function, _WRITING)
    if method is None or view.path.partition("{key}")[0] != page.path.partition("{key}")[0]:
        return None
    owner = getattr(view.function, "view_class", None)
    taken = fields_of(getattr(owner, method) if owner else view.function)
    if taken is None or field not in taken.names or taken.kind == "params":
        return None
    others = "".join(f', "{name}": 1' for name in taken.names if name != field)
    data = f'{{"{field}": value{others}}}'
    if taken.kind == "json" or method != "post":
        return method, view, f'{data}, content_type="application/json"'
    return method, view, data


def _simple_fields(model: Any) -> list[Any]:
    """Return the fields with a number or a text that may have any value."""
    return [
        field
        for field in model._meta.concrete_fields
        if field.editable and not field.choices and not field.unique and not field.is_relation
        if _kind(field) in _NUMBERS or (_kind(field) in _TEXTS and (field.max_length or 99) >= 6)
    ]


def _kind(field: Any) -> str:
    kind = field.get_internal_type()
    return "IntegerField" if kind.endswith("IntegerField") else str(kind)


_SAMPLES = {
    "IntegerField": "1", "DecimalField": "1", "FloatField": "1", "BooleanField": "False",
    "CharField": '"x"', "TextField": '"x"', "SlugField": '"x"', "EmailField": '"x@example.org"',
    "URLField": '"https://example.org"', "JSONField": "{}", "DurationField": "timedelta(1)",
}  # fmt: skip


def _row(model: Any, page: View) -> tuple[str, dict[str, str]] | None:
    """Return the key in the path and the values of a row; None: it needs what nobody can guess."""
    values = {}
    for field in model._meta.concrete_fields:
        if (
            field.has_default()
            or field.null
            or field.primary_key
            or getattr(field, "auto_now", False)
        ):
            continue
        if getattr(field, "auto_now_add", False):
            continue
        if (sample := _SAMPLES.get(_kind(field))) is None:
            return None
        values[field.name] = sample
    key = {"int": "1", "uuid": f"{0:08}-0000-4000-8000-{1:012}"}.get(page.converter, "1")
    named = next((f for f in model._meta.concrete_fields if f.name == page.parameter), None)
    if named is not None and not named.primary_key:
        values[named.name] = f'"{key}"' if page.converter != "int" else key
    return key, values


def _is_async(page: View, change: tuple[str, View, str] | None) -> bool:
    """Say whether a view is a coroutine: `Client` would run it on a loop in another thread."""
    is_coroutine = import_module("asgiref.sync").iscoroutinefunction
    return is_coroutine(page.function) or bool(change and is_coroutine(change[1].function))


def _flow(
    settings: str | None, page: View, model: Any, field: Any, change: tuple[str, View, str] | None
) -> FirstFlow:
    name, module = model.__name__, model.__module__
    row = _row(model, page)
    assert row is not None, "only models whose rows can be made are chosen"
    key, others = row
    is_number = _kind(field) in _NUMBERS
    values = NUMBERS if is_number else TEXTS
    given = {**others, field.name: "OLD"}
    pk = f'"{key}"' if page.converter == "uuid" else key
    defaults = ", ".join(f'"{one}": {value}' for one, value in given.items())
    imported = f"from {module} import {name}\n\n"
    is_async = _is_async(page, change)
    loop, save = ("async for", "await row.asave()") if is_async else ("for", "row.save()")
    saved = (
        f"{imported}{loop} row in {name}.objects.filter(pk={pk}):\n"
        f"    row.{field.name} = value\n    {save}\n"
    )
    env = (
        [f'os.environ.setdefault("{_VARIABLE}", "{settings}")\ndjango.setup()\n']
        if settings
        else []
    )
    return FirstFlow(
        style="django",
        system=module.partition(".")[0],
        page=page.path,
        field=field.name,
        is_async=is_async,
        values=values,
        key=key,
        change=saved
        if change is None
        else request("django", change[0], change[1].path, change[2], is_async=is_async),
        imports=(
            *(["import os", "import django"] if settings else []),
            f"from django.test import {'AsyncClient' if is_async else 'Client'}",
        ),
        blocks=tuple(env),
        rows=f"{imported}{name}.objects.update_or_create(pk={pk}, defaults={{{defaults}}})\n",
    )
