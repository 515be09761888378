"""The folder of a project is found as pytest finds it, and its verdict where its settings say."""

from pathlib import Path

import pytest
from _pytest.config.findpaths import determine_setup

from pytest_supercache.core.inputs import InputError
from pytest_supercache.gate.place import place_from

FILES = {
    "nothing": {},
    "pytest.ini": {"pytest.ini": "[pytest]\nsupercache_report = out\n"},
    "an empty pytest.ini": {"pytest.ini": ""},
    "hidden": {".pytest.ini": "[pytest]\nsupercache_report : out\n"},
    "pytest.toml": {"pytest.toml": '[pytest]\nsupercache_report = "out"\n'},
    "tox.ini": {"tox.ini": "[tox]\nx = 1\n[pytest]\nsupercache_report=out # here\n"},
    "many lines": {
        "pytest.ini": "[ pytest ]\n[pytest]\nmarkers =\n  a: b\n\n  c: d\nSupercache_Report = x\n"
        "supercache_report = a %(b)s ; c\n"
    },
    "another tox.ini": {"tox.ini": "[tox]\nx = 1\n"},
    "setup.cfg": {"setup.cfg": "[tool:pytest]\nsupercache_report = out\n"},
    "pyproject.toml": {"pyproject.toml": '[tool.pytest.ini_options]\nsupercache_report = "out"\n'},
    "pyproject.toml, with types": {"pyproject.toml": '[tool.pytest]\nsupercache_report = "out"\n'},
    "pyproject.toml, in both ways": {
        "pyproject.toml": '[tool.pytest]\nsupercache_report = "a"\n[tool.pytest.ini_options]\n'
    },
    "a pyproject.toml without pytest": {"pyproject.toml": "[tool.other]\n"},
    "setup.py": {"setup.py": ""},
    "two": {"pytest.ini": "[pytest]\n", "setup.cfg": "[tool:pytest]\nsupercache_report = out\n"},
    "one that is nearer and not about pytest": {
        "a/pyproject.toml": "[tool.other]\n", "tox.ini": "[pytest]\nsupercache_report = out\n",
    },
    "one that is nearer": {
        "a/pytest.ini": "[pytest]\nsupercache_report = near\n",
        "pytest.ini": "[pytest]\nsupercache_report = far\n",
    },
    "a nearer setup.py": {"a/setup.py": "", "pyproject.toml": "[tool.other]\n"},
}  # fmt: skip


@pytest.mark.parametrize("started", [".", "a", "a/b"])
@pytest.mark.parametrize("name", FILES)
def test_the_root_and_the_folder_of_reports_are_those_of_pytest(
    tmp_path: Path, name: str, started: str
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for path, text in FILES[name].items():
        (tmp_path / path).write_text(text)
    folder = tmp_path / started
    root, _, settings, *_ = determine_setup(
        inifile=None, override_ini=None, args=[], rootdir_cmd_arg=None, invocation_dir=folder
    )
    report = settings.get("supercache_report")
    place = place_from(folder)
    assert place.root == root
    expected = getattr(report, "value", report) or "reports"
    assert place.verdict_file({}) == root / str(expected) / "verdict.json"


@pytest.mark.parametrize("name", ["pytest.ini", "pyproject.toml"])
@pytest.mark.parametrize("content", [b"\xff\xfe", b"[pytest"])
def test_settings_that_cannot_be_read_are_a_mistake_that_names_the_file(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        place_from(tmp_path)
