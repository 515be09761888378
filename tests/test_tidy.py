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


QUESTION = re.compile(r"(What|Which|Who|How|Where|When|Why|Whether|Do|Does|Is|Are)\b")
VAGUE = re.compile(r"\b(whoever|nobody|somebody|anybody)\b", re.IGNORECASE)


@pytest.mark.parametrize("module", [m for m in MODULES if _name(m) not in GENERATED], ids=_name)
def test_a_module_opens_with_a_statement_about_something(module: Path) -> None:
    first = (ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or "").split("\n")[0]
    assert not QUESTION.match(first)
    assert not VAGUE.search(first)


@pytest.mark.parametrize("module", [m for m in MODULES if _name(m) not in GENERATED], ids=_name)
def test_a_module_holds_one_idea(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "a module opens with the idea that lives in it"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert _code_lines(node) <= FUNCTION_MAX, node.name


def test_a_class_has_its_name_alone() -> None:
    found: dict[str, list[str]] = {}
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(_name(module))
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


@pytest.mark.parametrize("package", [m for m in MODULES if m.name == "__init__.py"], ids=_name)
def test_a_package_says_in_three_sentences_what_lives_there(package: Path) -> None:
    said = ast.get_docstring(ast.parse(package.read_text(encoding="utf-8"))) or ""
    assert len(re.findall(r"[.:;](?=\s|$)", said)) >= 3


PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests").glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_refers_to_exists(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_what_a_module_refers_to_exists(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    pages = re.findall(r"\bdocs/[\w/-]+\.md\b", text)
    assert [page for page in pages if not (ROOT / page).exists()] == []
    assert "search.md" not in text


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_names_come_from_the_glossary(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    names = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    assert [name for name in {module.stem, *names} if BANNED.search(name)] == []


def test_the_page_about_the_runtime_names_each_of_its_modules() -> None:
    page = (ROOT / "docs" / "runtime.md").read_text(encoding="utf-8")
    names = {path.stem for path in (PACKAGE / "runtime").rglob("*.py")} - {"__init__"}
    assert sorted(name for name in names if not re.search(rf"[`.]{name}[`.]", page)) == []


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"skip", "xfail", "importorskip"}
    ]
    assert found == []


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield what a module imports: modules, or names in them; for types and in functions, too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _dotted(module: Path) -> str:
    return ".".join(module.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_imports_make_no_cycle() -> None:
    known = {_dotted(module) for module in MODULES}
    needs = {}
    for module in MODULES:
        names = _imported(ast.parse(module.read_text(encoding="utf-8")))
        found = {name if name in known else name.rpartition(".")[0] for name in names}
        needs[_dotted(module)] = (found & known) - {_dotted(module)}
    graphlib.TopologicalSorter(needs).prepare()
