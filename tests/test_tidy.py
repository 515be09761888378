"""Rules of the house that a linter does not know."""

import ast
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "pytest_supercache"
MODULES = sorted(PACKAGE.rglob("*.py"))
GENERATED = {"layers/redis_command_table.py"}
BANNED = re.compile(r"(^|_)(manager|handler|helper|utils?|info)(_|s?$)", re.IGNORECASE)

FUNCTION_MAX = 50


def _name(module: Path) -> str:
    return str(module.relative_to(PACKAGE))


def _code_lines(node: ast.AST) -> int:
    """Count lines that hold code: neither blank nor comment nor docstring."""
    lines: set[int] = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        if isinstance(child, ast.stmt | ast.expr | ast.arg):
            lines.add(child.lineno)
    return len(lines)


@pytest.mark.parametrize("module", [m for m in MODULES if _name(m) not in GENERATED], ids=_name)
def test_a_module_holds_one_idea(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "a module opens with the idea that lives in it"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert _code_lines(node) <= FUNCTION_MAX, node.name


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_names_come_from_the_glossary(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    names = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    assert [name for name in {module.stem, *names} if BANNED.search(name)] == []


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"skip", "xfail", "importorskip"}
    ]
    assert found == []


def _imported(body: list[ast.stmt]) -> Iterator[str]:
    """Yield what is imported while a module is imported: modules, or names in them."""
    for node in body:
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Try):
            yield from _imported(node.body)
        elif isinstance(node, ast.If) and ast.unparse(node.test) != "TYPE_CHECKING":
            yield from _imported([*node.body, *node.orelse])


def _dotted(module: Path) -> str:
    return ".".join(module.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_every_module_can_be_imported_first() -> None:
    known = {_dotted(module) for module in MODULES}
    needs = {}
    for module in MODULES:
        names = _imported(ast.parse(module.read_text(encoding="utf-8")).body)
        found = {name if name in known else name.rpartition(".")[0] for name in names}
        needs[_dotted(module)] = (found & known) - {_dotted(module)}
    graphlib.TopologicalSorter(needs).prepare()
