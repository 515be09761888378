"""Rules of the house that a linter does not know."""

import ast
import graphlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "pytest_supercache"
MODULES = sorted(PACKAGE.rglob("*.py"))
GENERATED = {"layers/redis_command_table.py"}
WRITTEN = [module for module in MODULES if str(module.relative_to(PACKAGE)) not in GENERATED]
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
SENTENCE_END = re.compile(r"[.:;](?=\s|$)")


@cache
def _tree(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


def test_modules_open_with_a_statement_about_something() -> None:
    first = {_name(m): (ast.get_docstring(_tree(m)) or "").split("\n")[0] for m in WRITTEN}
    assert {name: line for name, line in first.items() if QUESTION.match(line)} == {}
    assert {name: line for name, line in first.items() if VAGUE.search(line)} == {}


def test_modules_hold_one_idea_each() -> None:
    assert [_name(module) for module in WRITTEN if not ast.get_docstring(_tree(module))] == []
    too_long = [
        f"{_name(module)}: {node.name}"
        for module in WRITTEN
        for node in ast.walk(_tree(module))
        if isinstance(node, ast.FunctionDef) and _code_lines(node) > FUNCTION_MAX
    ]
    assert too_long == []


def test_a_class_has_its_name_alone() -> None:
    found: dict[str, list[str]] = {}
    for module in MODULES:
        for node in ast.walk(_tree(module)):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(_name(module))
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


def test_packages_say_in_three_sentences_what_lives_there() -> None:
    said = {_name(m): ast.get_docstring(_tree(m)) or "" for m in MODULES if m.stem == "__init__"}
    assert [name for name, text in said.items() if len(SENTENCE_END.findall(text)) < 3] == []


LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests").glob("*.md")])


def test_what_pages_refer_to_exists() -> None:
    missing = {}
    for page in PAGES:
        links = LINK.findall(page.read_text(encoding="utf-8"))
        missing[str(page.relative_to(ROOT))] = [x for x in links if not (page.parent / x).exists()]
    assert {page: links for page, links in missing.items() if links} == {}


def test_what_modules_refer_to_exists() -> None:
    missing = {}
    for module in MODULES:
        text = module.read_text(encoding="utf-8")
        pages = re.findall(r"\bdocs/[\w/-]+\.md\b", text) + re.findall(r"search\.md", text)
        missing[_name(module)] = [page for page in pages if not (ROOT / page).exists()]
    assert {name: pages for name, pages in missing.items() if pages} == {}


def test_names_come_from_the_glossary() -> None:
    found = [
        f"{_name(module)}: {name}"
        for module in MODULES
        for name in sorted({module.stem, *_defined(_tree(module))})
        if BANNED.search(name)
    ]
    assert found == []


def _defined(tree: ast.Module) -> set[str]:
    """Return the names of a module's functions and classes."""
    return {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}


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
        names = _imported(_tree(module))
        found = {name if name in known else name.rpartition(".")[0] for name in names}
        needs[_dotted(module)] = (found & known) - {_dotted(module)}
    graphlib.TopologicalSorter(needs).prepare()
