"""Finds the databases that a project opens, and the code that gives each execution one of its own.

What an execution writes must not be there in the next one, nor in the developer's database.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from pytest_supercache.cli.starting.found import Look
from pytest_supercache.cli.starting.sources import calls, database_files, module_names
from pytest_supercache.core.folders import is_in_packages

_OWN_FILE = '''\
@contextmanager
def own_file({given}folder):
    """Let the application use a copy of its database file, for one execution."""
    file = {place}
    copy = folder / Path(file).name
    if Path(file).exists() and not copy.exists():
        shutil.copy(file, copy)
    {place} = str(copy)
    yield
    {place} = file
'''

_OWN_DATABASE = '''\
@contextmanager
def own_database(engine, metadata, folder):
    """Lead an engine to a new SQLite file with all tables, for one execution."""

    def connect(dialect, record, arguments, options):
        arguments[:] = [str(folder / "app.db")]

    engine.dispose()
    event.listen(engine, "do_connect", connect)
    metadata.create_all(engine)
    yield
    event.remove(engine, "do_connect", connect)
    engine.dispose()
'''


@dataclass(slots=True)
class DatabaseCode:
    """Parts of the conftest: imports, blocks, and the contexts in which the site is open."""

    imports: list[str] = field(default_factory=list)
    blocks: list[str] = field(default_factory=list)
    contexts: list[str] = field(default_factory=list)
    engine: str = ""  # the expression for the engine that is led to a new file
    metadata: str = ""
    tables: Any = None  # the metadata itself


def databases(root: Path, seen: Look, app: Any) -> DatabaseCode:
    """Return the code for the databases of an imported application; note what is to be done."""
    code = DatabaseCode()
    _add_file(root, seen, code, app)
    _add_engine(root, seen, code)
    return code


def _add_file(root: Path, seen: Look, code: DatabaseCode, app: Any) -> None:
    """Lead `sqlite3.connect` to a copy of the file, where a constant or a setting names it."""
    led: str | None = None
    for path, line, name in database_files(root):
        module = _module_of(path, root)
        if module is None:
            continue  # the application does not use it
        in_config = name is not None and name.startswith("config[")
        place = f"app.{name}" if in_config else f"{module.__name__}.{name}"
        if place == led:
            continue
        value = (
            app.config.get(name[8:-2]) if name and in_config else getattr(module, name or "", None)
        )
        where = f"{path.relative_to(root)}:{line}"
        if name is None or led or not isinstance(value, str | Path):
            seen.notes.append(f"{where} opens a SQLite file: {_TO_DO}")
            continue
        led = place
        seen.found.append(f"the SQLite file {value} ({where}): each execution has a copy")
        code.imports += ["import shutil", "from contextlib import contextmanager"]
        code.imports += ["from pathlib import Path"]
        code.imports += [] if in_config else [f"import {module.__name__}"]
        code.blocks.append(_OWN_FILE.format(place=place, given="app, " if in_config else ""))
        code.contexts.append(f"own_file({'app, ' if in_config else ''}layers.tmp_path)")


_TO_DO = (
    "give each execution one of its own in the factory (docs/recipes.md); until then all of them "
    "use yours"
)


def _add_engine(root: Path, seen: Look, code: DatabaseCode) -> None:
    """Lead the engine of SQLAlchemy that a module holds to a new file, if it is on SQLite."""
    made = [
        found for name in ("create_engine", "create_async_engine") for found in calls(root, name)
    ]
    engines = list(_held(root, "sqlalchemy.engine.base", "Engine"))
    if not engines:
        seen.notes += [
            f"{path.relative_to(root)}:{line} makes an engine: {_TO_DO}" for path, line in made
        ]
        return
    module, name = engines[0]
    engine = getattr(module, name)
    shown = f"{module.__name__}.{name} ({engine.url.render_as_string()})"
    if engine.dialect.name != "sqlite":
        seen.notes.append(f"the engine {shown} is on a server: {_TO_DO}")
        return
    seen.found.append(f"the engine {shown}: each execution has a new file with all tables")
    code.tables, place = _metadata(root)
    code.imports += ["from contextlib import contextmanager", f"import {module.__name__}"]
    code.imports += ["from sqlalchemy import event"]
    code.imports.append(
        f"import {place.partition(':')[0]}" if place else "from sqlalchemy import MetaData"
    )
    code.blocks.append(_OWN_DATABASE)
    code.engine = f"{module.__name__}.{name}"
    code.metadata = place.replace(":", ".") if place else "MetaData()"
    code.contexts.append(f"own_database({code.engine}, {code.metadata}, layers.tmp_path)")


def _metadata(root: Path) -> tuple[Any, str]:
    """Return the metadata with the most tables, and its place, as ``module:Base.metadata``."""
    found = [
        (getattr(m, n), f"{m.__name__}:{n}")
        for m, n in _held(root, "sqlalchemy.sql.schema", "MetaData")
    ]
    for module in _modules(root):
        for name, value in vars(module).items():
            tables = vars(value).get("metadata") if isinstance(value, type) else None
            if type(tables).__name__ == "MetaData":
                found.append((tables, f"{module.__name__}:{name}.metadata"))
    best = max(found, key=lambda one: len(one[0].tables), default=None)
    return (None, "") if best is None else best


def _held(root: Path, module_name: str, class_name: str) -> Iterator[tuple[ModuleType, str]]:
    """Yield the modules of a project that hold an object of a class, each with its name there."""
    kind = getattr(sys.modules.get(module_name), class_name, None)
    for module in _modules(root) if kind else ():
        yield from ((module, name) for name, one in vars(module).items() if type(one) is kind)


def _modules(root: Path) -> list[ModuleType]:
    """Return the imported modules of a project; first those with short names."""
    found = {
        name: module
        for name, module in sys.modules.copy().items()
        if (file := getattr(module, "__file__", None))
        and Path(file).is_relative_to(root)
        and not is_in_packages(file)
    }
    return [found[name] for name in sorted(found, key=lambda name: (name.count("."), name))]


def _module_of(file: Path, root: Path) -> ModuleType | None:
    names = [name for _, name in module_names(file, root)]
    return next((sys.modules[name] for name in names if name in sys.modules), None)
