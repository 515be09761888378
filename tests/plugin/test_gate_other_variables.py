"""What a conftest file sets for its system, in the environment or in memory, is for it alone."""

import os

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import SHOP, race
from tests.plugin.test_plugin_gate import gate
from tests.selection import few

CODE = f"""
import os
from urllib.request import getproxies
{SHOP.partition("@sc.system")[0]}
class App:
    def __init__(self, redis, db):
        READ
        kind = Shop if FOUND == "cached" else Uncached
        self.shop = kind(redis, db)
    def get(self, key): return self.shop.get(key)
    def set(self, key, value): self.shop.set(key, value)
"""

CODE += """
KIND = None
SETTINGS = {}
class Config: kind = None
CONFIG = Config()
STORE = Config()
def remake():
    global STORE
    STORE = {}
"""

FROM_ENVIRONMENT = CODE.replace("FOUND", "os.environ['OTHERS_KIND']")

MADE = "App(layers.existing_cache.client(), layers.origin)"

CONFTEST = """
import os, pytest
os.environ["OTHERS_KIND"] = "{kind}"
import pytest_supercache as sc
import others_app
from others_app import App
{more}
@sc.system("{name}")
def {name}(layers):
    {factory}
"""

FIXTURE = """
@pytest.fixture(autouse=True)
def kind(monkeypatch): monkeypatch.setenv("OTHERS_KIND", "cached")
"""

EXPLORED = f"""
import os
os.environ["OTHERS_KIND"] = "{{kind}}"
import pytest_supercache as sc
from others_app import App
@sc.explore
def test_{{kind}}(world):
    layers = world
    world.origin.set("k", 1)
    app = {MADE}
    world.actor("alice", app.get, "k")
    world.actor("bob", app.set, "k", 2)
    world.run()
    assert app.get("k") == 2
"""


@pytest.fixture
def apart(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Two folders, of which the first one's code has the race if it finds its own variable."""
    monkeypatch.setenv("OTHERS_KIND", "of nobody")  # and it is set back
    (project.path / "conftest.py").unlink()
    (project.path / "others_app.py").write_text(FROM_ENVIRONMENT.replace("READ", ""))
    project.pytester.makeini("[pytest]\npythonpath = .\nsupercache_odds = 0\n")
    conftest(project, "a", "cached")
    conftest(project, "b", "uncached")
    return project


def conftest(
    project: Project, name: str, kind: str, factory: str = f"return {MADE}", more: str = ""
) -> None:
    folder = project.path / name
    folder.mkdir(exist_ok=True)
    text = CONFTEST.format(name=name, kind=kind, factory=factory, more=more)
    (folder / "conftest.py").write_text(text)
    (folder / f"{name}.supercache.yaml").write_text(race(f"V-{name}", name))


SET_THERE = f"os.environ['OTHERS_KIND'] = 'cached'\n    return {MADE}"


@pytest.mark.parametrize("more", [{}, {"factory": SET_THERE}, {"more": FIXTURE}])
def test_a_system_that_reads_what_another_conftest_file_has_set_is_unknown(
    apart: Project, more: dict[str, str]
) -> None:
    """The twins: its factory, or a fixture, sets the variable, so that the race is found."""
    conftest(apart, "a", "cached", **more)
    assert apart.run("--supercache-gate").ret == (1 if more else 6)
    assert apart.rows()["V-a"]["verdict"] == ("violated" if more else "unknown")
    if not more:
        said = "V-a is UNKNOWN: the code under test reads os.environ['OTHERS_KIND'], which had an"
        assert gate(apart)["reasons"][0].startswith(said)


@pytest.mark.parametrize(("read", "status"), [("os.environ['OTHERS_ONE']", 6), ("getproxies()", 0)])
def test_so_is_one_whose_variable_nobody_had_set_and_one_that_reads_all_means_none(
    apart: Project, monkeypatch: pytest.MonkeyPatch, read: str, status: int
) -> None:
    monkeypatch.setitem(os.environ, "OTHERS_ONE", "")  # and it is removed
    (apart.path / "others_app.py").write_text(FROM_ENVIRONMENT.replace("READ", read))
    conftest(apart, "a", "uncached", more="os.environ.pop('OTHERS_ONE', None)\n")
    conftest(apart, "b", "uncached", more="os.environ['OTHERS_ONE'] = '1'\n")
    assert apart.run("--supercache-gate").ret == status, gate(apart)["reasons"]


def test_so_is_a_test_whose_variable_another_module_has_set(apart: Project) -> None:
    for name in "ab":
        (apart.path / name / f"{name}.supercache.yaml").unlink()
    for kind in ("cached", "uncached"):
        apart.test_file(EXPLORED.format(kind=kind), f"test_{kind}")
    assert apart.run("--supercache-gate", "test_cached.py", "test_uncached.py").ret == 6
    verdicts = {name: row["verdict"] for name, row in apart.rows().items()}
    assert verdicts == {"test_cached": "unknown", "test_uncached": "holds"}


IN_MEMORY = {
    "others_app.KIND = '{}'": "KIND",
    "others_app.CONFIG.kind = '{}'": "CONFIG.kind",
    "App.kind = '{}'": "self.kind",
    "others_app.SETTINGS.update(kind='{}')": "SETTINGS['kind']",
    "os.chdir(os.path.dirname(__file__))": "open('kind.txt').read()",
}


@pytest.mark.parametrize("way", few(list(IN_MEMORY), 3))
def test_so_is_one_whose_setting_or_folder_another_conftest_file_has_changed(
    apart: Project, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The twin: both set the same. Alone, it has the race."""
    monkeypatch.chdir(apart.path)
    (apart.path / "others_app.py").write_text(
        CODE.replace("READ", "").replace("FOUND", IN_MEMORY[way])
    )
    for other, status in (("uncached", 6), ("cached", 1)):
        for name, kind in (("a", "cached"), ("b", other)):
            conftest(apart, name, kind, more=way.format(kind))
            (apart.path / name / "kind.txt").write_text(kind)
        assert apart.run("--supercache-gate", "a", "b").ret == status, gate(apart)["reasons"]
        expected = "unknown" if status != 1 else "violated"
        assert apart.rows()["V-a"]["verdict"] == expected


FINE = {
    "the factory sets it": f"others_app.KIND = 'cached'\n    return {MADE}",
    "the factory calls what sets it": f"set_kind()\n    return {MADE}",
}

SETS = """
def set_kind(): others_app.KIND = "cached"
@pytest.fixture(autouse=True)
def kind(monkeypatch): monkeypatch.setattr(others_app, "KIND", "cached")
"""


@pytest.mark.parametrize("way", [*FINE, "a fixture sets it"])
def test_a_setting_of_its_own_is_found(apart: Project, way: str) -> None:
    """The race is found."""
    (apart.path / "others_app.py").write_text(CODE.replace("READ", "").replace("FOUND", "KIND"))
    more = f"others_app.KIND = 'mine'\n{SETS.partition('@')[0] if way in FINE else SETS}"
    conftest(apart, "a", "cached", FINE.get(way, f"return {MADE}"), more)
    conftest(apart, "b", "uncached", more="others_app.KIND = 'uncached'")
    assert apart.run("--supercache-gate").ret == 1, gate(apart)["reasons"]
    assert apart.rows()["V-a"]["verdict"] == "violated"


REPLACED = {
    "others_app.Shop.get = others_app.Uncached.get": 6,
    "others_app.CONFIG = MagicMock()": 6,
    "others_app.SETTINGS['made'] = others_app.CONFIG": 1,
    "others_app.remake()": 1,
    "@pytest.fixture(autouse=True)\ndef double(monkeypatch): "
    "monkeypatch.setattr(others_app.Shop, 'set', others_app.Uncached.set)": 1,
}


@pytest.mark.parametrize(("what", "status"), REPLACED.items())
def test_so_is_one_in_whose_code_a_test_module_has_replaced_something(
    apart: Project, what: str, status: int
) -> None:
    """The twins: what was not there before, what the code itself sets, and what a fixture sets."""
    (apart.path / "others_app.py").write_text(
        CODE.replace("READ", "SETTINGS.get('made'), STORE").replace(
            "FOUND", "CONFIG.kind or 'cached'"
        )
    )
    top = "import pytest, others_app\nfrom unittest.mock import MagicMock\n"
    apart.test_file(f"{top}{what}\ndef test_it(): pass\n", "test_unit")
    assert apart.run("--supercache-gate", "a", "test_unit.py").ret == status
    if status != 1:
        assert (
            "which was set since, when another module was imported or" in gate(apart)["reasons"][0]
        )
        assert apart.run("--supercache-gate", "a").ret == 1, "alone, it has the race"


DOUBLE = "others_app.App.get = lambda self, key: 2"


@pytest.mark.parametrize(
    ("other", "own", "modules", "status"),
    [
        ("others_app.CONFIG = MagicMock()", "", ["test_cached.py", "test_unit.py"], 6),
        (DOUBLE, "", ["test_cached.py", "test_unit.py"], 6),
        (DOUBLE, "", ["test_cached.py"], 1),
        ("", DOUBLE, ["test_cached.py", "test_unit.py"], 0),
    ],
)
def test_so_is_a_test_in_whose_code_another_test_module_has_replaced_something(
    apart: Project, other: str, own: str, modules: list[str], status: int
) -> None:
    """The twins: the other module is not imported; and what its own module replaces is meant."""
    code = CODE.replace("READ", "").replace("FOUND", "CONFIG.kind or 'cached'")
    (apart.path / "others_app.py").write_text(code)
    top = "import others_app\nfrom unittest.mock import MagicMock\n"
    apart.test_file(f"{top}{other}\ndef test_it(): pass\n", "test_unit")
    apart.test_file(f"{EXPLORED.format(kind='cached')}\nimport others_app\n{own}\n", "test_cached")
    assert apart.run("--supercache-gate", *modules).ret == status


LEFT = {
    "def test_it(): os.environ['OTHERS_KIND'] = 'uncached'": 6,
    "def test_it(): others_app.Shop.get = MagicMock(return_value=None)": 6,
    "def test_it(monkeypatch): monkeypatch.setenv('OTHERS_KIND', 'uncached')": 1,
    "@pytest.fixture(scope='session')\n"
    "def container():\n    os.environ['OTHERS_KIND'] = 'uncached'\n    yield\n"
    "def test_it(container): pass": 0,
}


@pytest.mark.parametrize(("test", "status"), LEFT.items())
def test_so_is_one_in_whose_code_a_test_has_left_something(
    apart: Project, test: str, status: int
) -> None:
    """The twins: it is taken back; and a fixture of the session that lasts is meant."""
    apart.test_file(
        f"import os, pytest, others_app\nfrom unittest.mock import MagicMock\n{test}\n", "test_unit"
    )
    run = apart.run if status else apart.run_apart
    assert run("--supercache-gate", "test_unit.py", "a").ret == status
    if status == 6:
        assert apart.run("--supercache-gate", "a").ret == 1, "alone, it has the race"


PLAIN = {
    "def test_it(): others_app.KIND = 'uncached'": ("KIND", 6),
    "def test_it(): others_app.CONFIG.kind = 'uncached'": ("CONFIG.kind", 6),
    "def test_it(): others_app.SETTINGS['KIND'] = 'uncached'": ("SETTINGS['KIND']", 6),
    "def test_it(monkeypatch): monkeypatch.setattr(others_app, 'KIND', 'uncached')": ("KIND", 1),
    "def test_it(): others_app.switch('uncached')": ("SWITCHED", 0),
    "@pytest.fixture(scope='session')\n"
    "def off():\n    others_app.KIND = 'uncached'\n    yield\n"
    "def test_it(off): pass": ("KIND", 0),
}

SWITCH = """
KIND, SWITCHED = "cached", "cached"
CONFIG.kind, SETTINGS["KIND"] = KIND, KIND
def switch(kind):
    global SWITCHED
    SWITCHED = kind
"""


@pytest.mark.parametrize("is_explored", few([False, True], 1))
@pytest.mark.parametrize(("test", "read", "status"), few([(one, *PLAIN[one]) for one in PLAIN], 4))
def test_so_is_one_in_whose_code_a_test_has_left_a_plain_value(
    apart: Project, test: str, read: str, status: int, is_explored: bool
) -> None:
    """The twins: it is taken back, the code sets it itself, or a fixture of the session does."""
    code = CODE.replace("READ", "").replace("FOUND", read)
    (apart.path / "others_app.py").write_text(code + SWITCH)
    apart.test_file(f"import pytest, others_app\n{test}\n", "test_first")
    explored = EXPLORED.format(kind="cached").replace("os.environ['OTHERS_KIND'] = 'cached'", "")
    apart.test_file(explored, "test_second")
    arguments = ["test_first.py", "test_second.py" if is_explored else "a"]
    assert apart.run("--supercache-gate", *arguments).ret == status
    if status == 6:
        assert "another test" in gate(apart)["reasons"][0]
        assert apart.run("--supercache-gate", arguments[1]).ret == 1, "alone, it has the race"


OF_UNITS = {
    "others_app.KIND = 'uncached'": 6,
    "others_app.CONFIG.kind = 'uncached'": 6,
    "others_app.switch('uncached')": 0,
    "import others_settings": 0,
}


@pytest.mark.parametrize("file", few(["conftest.py", "test_unit.py"], 1))
@pytest.mark.parametrize(("line", "status"), few(OF_UNITS.items(), 3))
def test_so_is_one_whose_plain_value_the_files_of_other_tests_have_set(
    apart: Project, line: str, status: int, file: str
) -> None:
    """The twins: code of the project sets it, in a function or while it is imported."""
    read = "SWITCHED" if "switch" in line else "CONFIG.kind" if "CONFIG" in line else "KIND"
    code = CODE.replace("READ", "").replace("FOUND", read)
    (apart.path / "others_app.py").write_text(code + SWITCH)
    (apart.path / "others_settings.py").write_text("import others_app as it\nit.KIND = 'uncached'")
    unit = apart.path / "unit"
    unit.mkdir()
    (unit / "test_unit.py").write_text("def test_it(): pass\n")
    (unit / file).write_text(f"import others_app\n{line}\ndef test_it(): pass\n")
    assert apart.run("--supercache-gate", "a", "unit").ret == status
    assert apart.run("--supercache-gate", "a").ret == 1, "alone, it has the race"


@pytest.mark.parametrize("folder", [".", "a/b"])
def test_a_plain_value_that_a_conftest_file_on_the_way_sets_is_meant(
    apart: Project, folder: str
) -> None:
    code = CODE.replace("READ", "").replace("FOUND", "KIND")
    (apart.path / "others_app.py").write_text(code + SWITCH)
    (apart.path / "a" / "b").mkdir()
    (apart.path / "a" / "a.supercache.yaml").rename(apart.path / "a" / "b" / "a.supercache.yaml")
    late = "def pytest_configure():\n    others_app.KIND = 'uncached'\n" if folder == "." else ""
    line = late or "others_app.KIND = 'uncached'\n"
    (apart.path / folder / "conftest.py").write_text(f"import others_app\n{line}")
    assert apart.run("--supercache-gate", "a").ret == 0
