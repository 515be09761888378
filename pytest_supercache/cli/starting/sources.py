"""Finds applications and database files in the source of a project, without importing it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FILES_MAX = 2_000
_LEFT_OUT = frozenset(
    {"venv", "env", "node_modules", "site-packages", "tests", "test", "migrations", "build", "dist"}
)
_USUAL = ("app", "main", "wsgi", "asgi", "__init__")


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A place where an application is made: a name in a module, or a function."""

    file: Path
    line: int
    name: str
    is_factory: bool = False
    required: tuple[str, ...] = ()  # the factory's parameters without a default
    optional: tuple[str, ...] = ()  # the others


def trees(root: Path) -> Iterator[tuple[Path, ast.Module]]:
    """Yield the modules of a project that can be parsed, without tests and environments."""
    files = (path for path in root.rglob("*.py") if _is_source(path.relative_to(root)))
    for _, path in zip(range(_FILES_MAX), files, strict=False):
        try:
            yield path, ast.parse(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, SyntaxError):
            continue  # pytest says what is wrong with it


def applications(root: Path, made_by: str) -> list[Application]:
    """Return where objects of a class are made; first those that are most probably meant."""
    found = [app for path, tree in trees(root) for app in _in_module(path, tree, made_by)]
    return sorted(found, key=lambda app: _order(app, root))


def module_names(file: Path, root: Path) -> Iterator[tuple[Path, str]]:
    """Yield the folders that a module may be imported from, each with the module's name there."""
    folder = file.parent
    while (folder / "__init__.py").exists() and folder != root:
        folder = folder.parent
    sources = root if (root / "src" / "__init__.py").exists() else root / "src"
    for start in dict.fromkeys((sources, root, folder)):
        if file.is_relative_to(start):
            parts = list(file.relative_to(start).with_suffix("").parts)
            parts = parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts
            if all(part.isidentifier() for part in parts):
                yield start, ".".join(parts)


def database_files(root: Path) -> Iterator[tuple[Path, int, str | None]]:
    """Yield where a project calls `sqlite3.connect`, and the place that names the file.

    The place is a constant of the module, or ``config[...]`` of a Flask application; None: neither.
    """
    for path, tree in trees(root):
        constants = {name for name, _ in _assigned(tree)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "sqlite3.connect":
                yield path, node.lineno, _place(node, constants)


def _place(call: ast.Call, constants: set[str]) -> str | None:
    match call.args[:1]:
        case [ast.Name(id=name)] if name in constants:
            return name
        case [
            ast.Subscript(
                value=ast.Attribute(attr="config"), slice=ast.Constant(value=str() as key)
            )
        ]:
            return f'config["{key}"]'
        case _:
            return None


def calls(root: Path, name: str) -> Iterator[tuple[Path, int]]:
    """Yield where a project calls a function of this name."""
    for path, tree in trees(root):
        found = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
        yield from ((path, node.lineno) for node in found if _is_call(node, name))


def _is_source(path: Path) -> bool:
    return path.name != "conftest.py" and not any(
        part in _LEFT_OUT or part.startswith((".", "test_")) for part in path.parts
    )


def _in_module(path: Path, tree: ast.Module, made_by: str) -> Iterator[Application]:
    for name, assignment in _assigned(tree):
        if _is_call(assignment.value, made_by):
            yield Application(file=path, line=assignment.lineno, name=name)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and _makes(node, made_by):
            yield Application(
                file=path,
                line=node.lineno,
                name=node.name,
                is_factory=True,
                required=_required(node.args),
                optional=_optional(node.args),
            )


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.Assign]]:
    """Yield the names that a module assigns at its top."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            yield from ((one.id, node) for one in node.targets if isinstance(one, ast.Name))


def _required(arguments: ast.arguments) -> tuple[str, ...]:
    """Return the parameters without a default."""
    positional = [*arguments.posonlyargs, *arguments.args]
    needed = positional[: len(positional) - len(arguments.defaults)]
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    needed += [argument for argument, default in pairs if default is None]
    return tuple(argument.arg for argument in needed)


def _optional(arguments: ast.arguments) -> tuple[str, ...]:
    """Return the parameters with a default."""
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    required = _required(arguments)
    return tuple(argument.arg for argument in named if argument.arg not in required)


def _makes(function: ast.FunctionDef, made_by: str) -> bool:
    """Say whether a function makes an object of the class and returns something."""
    nodes = list(ast.walk(function))
    returns = any(isinstance(node, ast.Return) and node.value is not None for node in nodes)
    return returns and any(_is_call(node, made_by) for node in nodes)


def _is_call(node: ast.AST, name: str) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    return (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) == name


def _order(app: Application, root: Path) -> tuple[object, ...]:
    """Sort factories that need nothing first, then those at the top of the project."""
    kind = 0 if app.is_factory and not app.required else 2 if app.required else 1
    path = app.file.relative_to(root)
    return kind, len(path.parts), path.stem not in _USUAL, str(path), app.line
