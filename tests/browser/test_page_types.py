"""The program of the page, checked by the compiler of TypeScript; it is plain JavaScript."""

import subprocess
from pathlib import Path

import pytest

from pytest_supercache.report import page

pytestmark = pytest.mark.npm

PROGRAM = Path(page.__file__).parent / "page_files" / "page.js"
TYPESCRIPT = "typescript@5.9.3"
STRICTLY = [
    "--noEmit", "--allowJs", "--checkJs", "--strict", "--target", "es2022",
    "--lib", "es2022,dom,dom.iterable", "--skipLibCheck",
]  # fmt: skip
"""The compiler's own libraries are not checked: they would take longer than the program."""


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("typescript")
    install = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run([*install, "--prefix", str(folder), TYPESCRIPT], check=True, timeout=300)

    def check(*programs: Path) -> str:
        compiler = folder / "node_modules" / ".bin" / "tsc"
        ran = subprocess.run(
            [str(compiler), *STRICTLY, *map(str, programs)],
            capture_output=True, text=True, check=False,
            timeout=300, cwd=folder,
        )  # fmt: skip
        return ran.stdout + ran.stderr

    return check


def test_the_program_has_no_mistake_of_types_and_one_would_be_found(checked, tmp_path):
    text = PROGRAM.read_text(encoding="ascii")
    broken = tmp_path / "broken.js"
    mistaken = text.replace("row.answers.map(", "row.answer.map(", 1)
    broken.write_text(f"{mistaken}\nexport {{}};\n", encoding="ascii")  # else both share names
    said = [line for line in checked(PROGRAM, broken).splitlines() if not line.startswith(" ")]
    assert [line for line in said if "broken.js" not in line] == []
    assert any("Property 'answer' does not exist on type 'Row'" in line for line in said)
