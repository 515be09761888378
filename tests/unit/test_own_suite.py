"""The rules of this suite: which tests a run takes, which modules a test sees, what it may cost."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from tests.seen_modules import TESTS, SeenModules, brought, needed
from tests.selection import (
    ANY_PYTHON,
    CHANGES_WITH_PYTHON,
    LONG,
    either,
    is_wanted,
    pytest_collection_modifyitems,
)
from tests.time_spent import BUDGET, TimeSpent, budget_of, told


def config(*chosen):
    return SimpleNamespace(getoption=lambda name: name in chosen)


def item(path, *marks):
    return SimpleNamespace(path=TESTS / path, get_closest_marker=lambda name: name in marks)


@pytest.mark.parametrize(
    ("path", "marks", "options", "wanted"),
    [
        ("litmus/test_x.py", [], [], True),
        ("litmus/test_x.py", ["long"], [], False),
        ("litmus/test_x.py", ["long"], ["--long"], True),
        ("litmus/test_x.py", [], ["--second-python"], True),
        ("litmus/test_x.py", ["long"], ["--second-python"], False),
        ("litmus/test_faults.py", [], ["--second-python"], False),
        ("litmus/test_faults.py", ["python"], ["--second-python"], True),
        ("litmus/test_faults.py", [], [], True),
        ("unit/runtime/test_x.py", [], ["--second-python"], True),
        ("unit/gate/test_x.py", [], ["--second-python"], False),
        ("plugin/test_x.py", ["python"], ["--second-python"], True),
    ],
)
def test_a_run_takes_what_it_is_for(path, marks, options, wanted):
    assert is_wanted(config(*options), item(path, *marks)) is wanted


def test_a_run_begins_with_the_tests_at_the_top_and_keeps_the_order_of_the_others():
    paths = ["unit/test_x.py", "laws/test_x.py", "test_tools.py", "unit/gate/test_x.py"]
    items = [item(path) for path in paths]
    pytest_collection_modifyitems(config(), items)
    assert [one.path for one in items] == [TESTS / paths[at] for at in (2, 0, 1, 3)]


def test_the_long_form_draws_more(monkeypatch):
    monkeypatch.delenv(LONG, raising=False)
    assert either(3, 10) == 3
    monkeypatch.setenv(LONG, "1")
    assert either(3, 10) == 10


def test_every_folder_for_another_python_is_there():
    assert all(list((TESTS / folder).glob("test_*.py")) for folder in CHANGES_WITH_PYTHON)


@pytest.mark.parametrize("path", ANY_PYTHON)
def test_every_file_for_any_python_is_there_and_in_a_folder_for_another_one(path):
    assert (TESTS / path).exists()
    assert any((TESTS / folder) in (TESTS / path).parents for folder in CHANGES_WITH_PYTHON)


def test_all_phases_of_a_folders_tests_are_added_up():
    spent = TimeSpent({"unit": 5.0, ".": 1.0})
    for nodeid, seconds in [
        ("tests/unit/gate/test_x.py::test_y[tests/z]", 1.0),
        ("tests/unit/test_x.py::test_y", 2.5),
        ("tests/test_tidy.py::test_y", 0.5),
    ]:
        spent.pytest_runtest_logreport(SimpleNamespace(nodeid=nodeid, duration=seconds))
    written = []
    spent.pytest_terminal_summary(
        SimpleNamespace(
            section=written.append, write_line=lambda line, **_: written.append(line.split())
        )
    )
    assert written[1:] == [["unit", "3.5", "of", "5"], [".", "0.5", "of", "1"], ["sum", "4.0"]]


def test_a_folder_over_its_budget_is_named_and_no_other_one():
    lines = told({"unit": 2.0, "laws": 3.5, "new": 0.1}, {"unit": 2.0, "laws": 3.0})
    assert [line.split(maxsplit=1)[0] for line in lines] == ["laws", "unit", "new", "sum"]
    assert ["over its budget" in line for line in lines] == [True, False, True, False]
    assert lines[-1].split() == ["sum", "5.6"]
    assert not any("budget" in line for line in told({"laws": 3.5}, None))


@pytest.mark.parametrize("run", ["first", "second"])
def test_every_folder_with_tests_has_a_budget(run):
    folders = {path.relative_to(TESTS).parts[0] for path in TESTS.glob("*/**/test_*.py")}
    budget = budget_of(run)
    second = {folder.partition("/")[0] for folder in CHANGES_WITH_PYTHON} | {"plugin"}
    assert set(budget) == (second if run == "second" else {*folders, "."}), BUDGET


def test_a_test_sees_its_own_file_and_helpers_but_no_other_test():
    seen = {name for name in sys.modules if name.startswith("tests.")}
    tests = {name for name in seen if name.rpartition(".")[2].startswith("test_")}
    assert tests == {__name__}
    assert "tests.seen_modules" in seen


def test_modules_of_a_file_are_hidden_from_the_next_one_and_what_they_displaced_is_back(
    monkeypatch,
):
    one, other = TESTS / "unit/test_one.py", TESTS / "unit/test_other.py"
    name = "tests.unit.test_one"
    displaced, own = ModuleType(name), ModuleType(name)
    seen = SeenModules()
    seen._of_file[one] = {name: own}
    monkeypatch.setitem(sys.modules, name, displaced)
    seen.pytest_runtest_setup(SimpleNamespace(path=one))
    assert sys.modules[name] is own
    seen.pytest_runtest_setup(SimpleNamespace(path=other))
    assert sys.modules[name] is displaced


def test_helpers_are_visible_to_the_files_that_import_them_and_come_back(monkeypatch):
    names = ("tests.programs", "tests.laws.callers", "tests.repositories")
    modules = {name: ModuleType(name) for name in names}
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    of_searches, of_laws, of_gate = names
    seen = SeenModules()
    for path, shown, hidden in [
        ("search/test_bounded_counts.py", of_searches, of_laws),
        ("laws/test_fingerprints.py", of_laws, of_gate),
        ("unit/gate/test_checkout.py", of_gate, of_searches),
        ("search/test_bounded_counts.py", of_searches, of_laws),
    ]:
        seen.pytest_runtest_setup(SimpleNamespace(path=TESTS / path))
        assert sys.modules[shown] is modules[shown]
        assert hidden not in sys.modules
    seen.pytest_runtest_setup(SimpleNamespace(path=TESTS / "unit/test_own_suite.py"))


def test_a_file_needs_what_it_imports_and_what_that_imports(tmp_path):
    file = tmp_path / "test_x.py"
    helpers = {"tests.told", "tests.calls", "tests.unit.gate.runs", "tests.unit.report.outputs"}
    for text, expected in [
        ("from tests.calls import call\n", {"tests.calls"}),
        ("from tests.unit.gate import (\n    other,\n    runs,\n)\n", {"tests.unit.gate.runs"}),
        ("from tests.unit.gate import other\n", set()),
        ("import told\n", set()),
    ]:
        other = file.with_stem(f"test_{len(text)}")
        other.write_text(text)
        assert needed(other, helpers) == expected
    through = {"tests.unit.report.run_of_all_kinds", "tests.unit.report.report_stories"}
    assert needed(TESTS / "unit/report/test_hostile_outputs.py", through | helpers) >= through


def test_a_test_file_has_its_libraries_for_itself_and_shares_its_helpers(monkeypatch):
    before = set(sys.modules)
    for name in ("shoplib", "tests.unit.test_new", "tests.new_helper"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    assert set(brought(before)) == {"shoplib", "tests.unit.test_new"}
