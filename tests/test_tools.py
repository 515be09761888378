"""What the formatter, the linter, the type checker and the import contracts find: nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOOLS = {
    "formatter": ["-m", "ruff", "format", "--check", "."],
    "linter": ["-m", "ruff", "check", "."],
    "types": ["-m", "mypy"],
    "import contracts": [
        "-c",
        "from importlinter.cli import lint_imports_command as main; main()",
        "--no-cache",
        "--no-logo",
    ],
}


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_finds_nothing(name: str) -> None:
    done = subprocess.run(
        [sys.executable, *TOOLS[name]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("formatter", "x  =  1\n", "would be reformatted"),
        ("linter", "import os\n", "F401"),
        ("types", 'number: int = "text"\n', "[assignment]"),
    ],
)
def test_a_tool_finds_what_is_wrong(tmp_path: Path, name: str, text: str, said: str) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(text)
    command = [argument for argument in TOOLS[name] if argument != "."]
    config = "--config-file" if name == "types" else "--config"
    done = subprocess.run(
        [sys.executable, *command, config, str(ROOT / "pyproject.toml"), str(wrong)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert said in done.stdout
