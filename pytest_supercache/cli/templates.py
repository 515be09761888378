"""The templates of `supercache new`: a small flow for each conflict class, one per file.

A template is a scenario file with the placeholders `ID`, `SYSTEM` and `KEY`. Its story says what
goes wrong, so that its reader knows which line to change first; its last lines show the verbs that
it needs beyond `get`, `set` and `delete`.
"""

import re
from pathlib import Path

_FOLDER = Path(__file__).parent / "template_files"
DEFAULT = "stale-set"
TEMPLATES = tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def written(name: str, *, scenario_id: str, system: str, key: str, schema: Path) -> str:
    """Return the text of a new file; ``schema`` is the path of the schema from there."""
    said = {"ID": scenario_id, "SYSTEM": system, "KEY": key}
    text = re.sub(r"\b(ID|SYSTEM|KEY)\b", lambda word: said[word[0]], _template(name))
    return f"# yaml-language-server: $schema={schema.as_posix()}\n{text}"


def is_about_one_key(name: str) -> bool:
    """Say whether a class needs only one key, which can be any."""
    return "KEY" in _template(name)


def _template(name: str) -> str:
    return (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def verbs_to_bind(text: str) -> list[str]:
    """Return the verbs that the comments of a file tell the user to bind."""
    return re.findall(r'(?m)^# +@sc\.verb\("(\w+)"', text)
