"""What workers of a cluster must have in common with a run, and how a difference is told."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from pytest_supercache.remote.bridge import refusal, standing_still
from pytest_supercache.remote.identity import Files, Identity, OwnIdentity, identity_of

HERE = Identity(
    python="CPython 3.13.5", distributions={"redis": "6.4.0"}, files={"/app/shop.py": "1"}
)


def test_a_worker_that_has_the_same_is_not_refused() -> None:
    assert refusal(HERE, {"tcp://a:1": replace(HERE)}) is None
    assert replace(HERE).digest() == HERE.digest()


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (replace(HERE, python="CPython 3.11.7"), "CPython 3.11.7, here CPython 3.13.5"),
        (replace(HERE, distributions={"redis": "5.0.0"}), "redis 5.0.0, here 6.4.0"),
        (replace(HERE, distributions={}), "redis is missing, here 6.4.0"),
        (
            replace(HERE, distributions={"redis": "6.4.0", "lz4": "4"}),
            "lz4 4, here there is none",
        ),
        (replace(HERE, files={"/app/shop.py": "2"}), "/app/shop.py differs"),
        (replace(HERE, files={}), "/app/shop.py is only here"),
        (
            replace(HERE, files={"/app/shop.py": "1", "/app/conftest.py": "3"}),
            "/app/conftest.py is only there",
        ),
    ],
)
def test_what_differs_is_told(there: Identity, said: str) -> None:
    assert refusal(HERE, {"tcp://a:1": replace(HERE), "tcp://b:2": there}) == (
        f"worker tcp://b:2 differs from this process: {said}"
    )
    assert there.digest() != HERE.digest()


def test_of_many_differences_some_are_told() -> None:
    there = replace(HERE, files={f"/app/{number}.py": "1" for number in range(9)})
    said = refusal(HERE, {f"tcp://a:{number}": there for number in range(5)})
    assert said is not None
    assert "and 7 more of these" in said
    assert said.endswith("; and 2 more")


def test_a_worker_without_the_plugin_says_so() -> None:
    said = refusal(HERE, {"tcp://a:1": ModuleNotFoundError("No module named 'pytest_supercache'")})
    assert said == (
        "worker tcp://a:1 cannot load pytest-supercache: No module named 'pytest_supercache'"
    )


def test_files_that_decide_what_code_does_count(tmp_path: Path) -> None:
    for name in (
        "shop/cache.py", "race.supercache.yaml", "pyproject.toml", ".env", "notes.txt", "app.log",
        ".git/config.py", "__pycache__/shop.py", "venv/pyvenv.cfg", "venv/lib.py",
        "reports/verdict.json",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    files = Files(roots=(str(tmp_path),), left_out=(str(tmp_path / "reports"),))
    found = [str(Path(path).relative_to(tmp_path)) for path in files.paths()]
    assert sorted(found) == [".env", "pyproject.toml", "race.supercache.yaml", "shop/cache.py"]
    before = identity_of(files)
    (tmp_path / "notes.txt").write_text("2")
    assert identity_of(files).digest() == before.digest()
    (tmp_path / "shop" / "cache.py").write_text("2")
    assert before.differences(identity_of(files)) == [f"{tmp_path}/shop/cache.py differs"]


def test_a_module_that_fails_when_it_is_asked_for_its_file_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Libraries have such ones for what may not be installed."""

    class Lazy(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise ImportError(f"it is asked for {name}")

    monkeypatch.setitem(sys.modules, "lazy", Lazy("lazy"))
    own = OwnIdentity(Files())
    own.update()
    assert __file__ in own.files.others


def test_with_data_all_files_count_but_those_that_runs_write(tmp_path: Path) -> None:
    for name in ("shop.py", ".env", "mode.txt", "VERSION", "prices.csv", "app.log", "test.db",
                 "report.html", ".coverage", ".mode.txt"):  # fmt: skip
        (tmp_path / name).write_text("1")
    os.mkfifo(tmp_path / "pipe")
    files = Files(roots=(str(tmp_path),), with_data=True)
    found = {Path(path).name for path in files.paths()}
    assert found == {"shop.py", ".env", "mode.txt", "VERSION", "prices.csv", "pipe"}
    before = identity_of(files)
    (tmp_path / "mode.txt").write_text("2")
    assert before.differences(identity_of(files)) == [f"{tmp_path}/mode.txt differs"]


def test_a_file_that_cannot_be_read_differs_from_one_that_can(tmp_path: Path) -> None:
    file = tmp_path / "shop.py"
    file.write_text("")
    files = Files(others=(str(file),))
    before = identity_of(files)
    file.unlink()
    assert before.differences(identity_of(files)) == [f"{file} differs"]


@pytest.mark.parametrize(
    ("last_seen", "still"),
    [
        ({}, set()),
        ({"a": 100.0}, set()),
        ({"a": 100.0, "b": 90.0}, set()),
        ({"a": 100.0, "b": 80.0}, {"b"}),
        ({"a": 80.0, "b": 80.0}, set()),
    ],
)
def test_a_worker_stands_still_that_is_not_heard_from_beside_others(
    last_seen: dict[str, float], still: set[str]
) -> None:
    workers = {address: {"last_seen": at} for address, at in last_seen.items()}
    assert standing_still(workers) == still
