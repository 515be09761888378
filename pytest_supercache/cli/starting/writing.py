"""Writes the conftest and the first scenario of an application from what was found in it."""

import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from pytest_supercache.cli.starting.found import FirstFlow
from pytest_supercache.report.values import clean

_COMMENT = 90  # the width of a comment
_CLIENTS = {"django": "Client()", "fastapi": "await self.http", "flask": "self.app.test_client()"}
_TEXTS = {"django": "answer.content.decode()", "fastapi": "answer.text", "flask": "answer.text"}

_SITE = '''\
OLD, NEW = {old}, {new}


class Site:
    """A browser on the application: `read` and `write` in a scenario are requests."""
{made}
    {define} get(self, key):
        """Return which of the two values the page shows."""
        answer = {client}.get(f"{page}")
        if answer.status_code == 404:
            return None  # no such row: the factory below makes what the page needs
        text = {text}
        assert answer.status_code == 200, f"{{answer.status_code}}: {{text:.200}}"
        found = [value for value in (OLD, NEW) if re.search(rf"\\b{{value}}\\b", text)]
        assert found, f"neither {{OLD}} nor {{NEW}} is on the page: {{text:.200}}"
        return found[0]

    {define} set(self, key, value):
        """Change the {field}."""
{change}

@sc.system("{system}")
{define_factory} {function}(layers):
    """Open the application; make what its pages need here."""
'''

_MADE = """
    def __init__(self, {name}):
        self.{name} = {name}
"""

_ON_FASTAPI = """\
client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app")
async with app.router.lifespan_context(app), client as http:
    yield Site(http)
"""

_SCENARIO = """\
# A reader opens the page while a writer changes what it shows.
# Written by `supercache new --app {style}`.
scenario: After the {field} was changed nobody is shown the old one
id: {id}
system: {system}
before:
  - write: {{key: "{key}", value: {old}}}
users:
  reader:
    - read: "{key}"
  writer:
    - write: {{key: "{key}", value: {new}}}
finally:
  - read: "{key}"
    expect: {new}
"""


def request(style: str, method: str, path: str, arguments: str, *, is_async: bool = False) -> str:
    """Return the statements that make a request, and check that it was answered well."""
    return (
        f'answer = {_client(style, is_async=is_async)}.{method}(f"{path}", {arguments})\n'
        f'assert answer.status_code < 400, f"{{answer.status_code}}: {{{_TEXTS[style]}:.200}}"\n'
    )


def _client(style: str, *, is_async: bool) -> str:
    """Return the expression for a client, awaited if its requests are."""
    return "await AsyncClient()" if style == "django" and is_async else _CLIENTS[style]


def conftest(
    flow: FirstFlow, folder: Path, import_root: Path | None, *, to_do: Sequence[str] = ()
) -> str:
    """Return the text of the conftest for a folder; pytest puts the folder on the path."""
    is_async = flow.is_async or flow.style == "fastapi"
    parts = {"fastapi": _MADE.format(name="http"), "flask": _MADE.format(name="app"), "django": ""}
    site = _SITE.format(
        old=flow.values[0],
        new=flow.values[1],
        made=parts[flow.style],
        define="async def" if is_async else "def",
        define_factory="async def" if flow.style == "fastapi" else "def",
        client=_client(flow.style, is_async=is_async),
        text=_TEXTS[flow.style],
        page=flow.page,
        field=flow.field,
        change=textwrap.indent(flow.change, " " * 8),
        system=flow.system,
        function="opened",
    )
    path = _path_line(folder, import_root)
    head = [f'"""The application as scenarios see it; by `supercache new --app {flow.style}`."""\n']
    head += [_imports([*flow.imports, *(["import sys"] if path else [])], path)]
    return "\n".join(
        [*head, *(f"{block}\n" for block in flow.blocks), site + _to_do(to_do) + _factory(flow)]
    )


def scenario(flow: FirstFlow, scenario_id: str) -> str:
    """Return the text of the first scenario."""
    old, new = flow.values
    return _SCENARIO.format(
        style=flow.style,
        field=flow.field,
        id=scenario_id,
        system=flow.system,
        key=flow.key,
        old=old,
        new=new,
    )


def _to_do(notes: Sequence[str]) -> str:
    """Return comments for the factory: what is left to do there before results count."""
    lines = [
        line
        for note in notes
        for line in textwrap.wrap(clean(f"To do: {note}."), width=_COMMENT, break_long_words=False)
    ]
    return "".join(f"    # {line}\n" for line in lines)


def _factory(flow: FirstFlow) -> str:
    """Return the body of the factory."""
    word = "yield" if flow.contexts else "return"
    sites = {"django": f"{word} Site()\n", "flask": f"{word} Site(app)\n", "fastapi": _ON_FASTAPI}
    opened = flow.rows + sites[flow.style]
    if flow.contexts:
        opened = f"with {', '.join(flow.contexts)}:\n{textwrap.indent(opened, '    ')}"
    made = f"app = {flow.application}\n" if flow.application else ""
    return textwrap.indent(made + opened, "    ")


def _path_line(folder: Path, import_root: Path | None) -> str:
    """Return the line that puts the application's folder on the path, if pytest does not."""
    if import_root is None or import_root == folder:
        return ""
    here = "Path(__file__)"
    if import_root in folder.parents:
        return f"sys.path.insert(0, str({here}.parents[{folder.parents.index(import_root) + 1}]))"
    if import_root.is_relative_to(folder):
        return f'sys.path.insert(0, str({here}.parent / "{import_root.relative_to(folder)}"))'
    return f'sys.path.insert(0, "{import_root}")'


def _imports(lines: list[str], path: str) -> str:
    """Return the imports: the standard library first, the project's below the line for its path."""
    lines = list(
        dict.fromkeys([*lines, "import re", *(["from pathlib import Path"] if path else [])])
    )
    standard = [
        line for line in lines if line.split()[1].partition(".")[0] in sys.stdlib_module_names
    ]
    others = [line for line in lines if line not in standard]
    body = "\n".join(sorted(standard, key=lambda line: (line.startswith("from "), line))) + "\n\n"
    body += f"{path}\n\n" if path else ""
    return body + "\n".join([*others, "", "import pytest_supercache as sc\n\n"])
