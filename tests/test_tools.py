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


def test_a_tool_finds_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("import os\n")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), tmp_path],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "F401" in done.stdout
