"""What terminals of three widths show, with colours and without, is what was read and accepted."""

import re
from pathlib import Path

import pytest

from tests.terminals import COLOURS, WIDTHS, picture, snapshot, write_project

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
OF_PYTEST = "= short test summary info ="
PASTED = ("replay: ", "written: ", "open: ")
SHORT = {(80, "coloured")}  # a colour changes no letter


PICTURES = [
    pytest.param(columns, kind, marks=[] if (columns, kind) in SHORT else pytest.mark.long)
    for columns in WIDTHS
    for kind in COLOURS
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project that the pictures show."""
    made = tmp_path_factory.mktemp("project")
    write_project(made)
    return made


def ours(columns: int, kind: str) -> str:
    """Return a picture without the last lines, which pytest cuts elsewhere if they are coloured."""
    text = snapshot(columns, kind).read_text(encoding="utf-8")
    return text[: text.index(OF_PYTEST)].rpartition("\n")[0]


@pytest.mark.parametrize(("columns", "kind"), PICTURES)
def test_a_terminal_shows_what_it_did(folder: Path, columns: int, kind: str) -> None:
    """To accept a change: python -m tests.terminals, read the files, say why in the commit."""
    shown = picture(folder, columns, COLOURS[kind])
    assert shown == snapshot(columns, kind).read_text(encoding="utf-8")


@pytest.mark.parametrize("columns", WIDTHS)
def test_colours_change_no_letter_and_without_them_there_is_no_escape(columns: int) -> None:
    plain, coloured = (ours(columns, kind) for kind in COLOURS)
    assert "\x1b" not in plain
    assert COLOUR.sub("", coloured) == plain
    assert "\x1b[31m\x1b[1m" in coloured, "the step that breaks the guarantee"


@pytest.mark.parametrize("columns", WIDTHS)
def test_nothing_is_wider_than_the_terminal_but_what_is_to_be_pasted(columns: int) -> None:
    lines = snapshot(columns, "plain").read_text(encoding="utf-8").splitlines()
    wider = [line for line in lines if len(line) > columns and not line.startswith(PASTED)]
    assert wider == []
    commands = [line for line in lines if line.startswith("replay: ")]
    assert len(commands) == 2
    for command in commands:
        assert re.fullmatch(
            r"replay: pytest \w+\.supercache\.yaml --supercache-replay='sc1:[^' ]+'", command
        )


def test_the_pictures_that_are_compared_are_all_there() -> None:
    found = {path.name for path in Path(snapshot(80, "plain")).parent.iterdir()}
    assert found == {snapshot(columns, kind).name for columns in WIDTHS for kind in COLOURS}
