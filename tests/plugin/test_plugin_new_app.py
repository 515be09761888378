"""`supercache new --app`: what it writes for an application runs, and finds its conflict."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_supercache.cli import main
from tests.plugin.apps_of_users import FILES, STORES
from tests.plugin.conftest import Project
from tests.selection import either, few

Command = Callable[..., str]


@pytest.fixture
def new(project: Project, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`supercache new` in a project without a conftest."""
    (project.path / "conftest.py").unlink()
    monkeypatch.chdir(project.path)
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)

    def run(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(main, ["new", *arguments], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result.output

    return run


def write(project: Project, framework: str, left_out: str = "") -> None:
    for name, text in FILES[framework].items():
        file = project.path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text.replace(left_out, ""))


def _content(project: Project) -> bytes:
    file = project.path / "shop.db"
    return file.read_bytes() if file.exists() else b""


FOUND = {
    "flask": [
        "found: the application: app in app.py:10",
        "found: GET /products/{key}, PUT /products/{key} with price",
        "found: the SQLite file shop.db (app.py:12): each execution has a copy",
    ],
    "django": [
        "found: settings site_settings (manage.py), caches: default (LocMemCache)",
        "found: GET /products/{key}/, which shows shop.models.Product.price",
        "found: no view that changes it, so Product.save() is the change",
    ],
    "fastapi": [
        "found: the application: create_app() in shop/main.py:24",
        "found: GET /products/{key}, PUT /products/{key}/price with price",
        "found: the engine shop.main.engine (sqlite:///shop.db): each execution has a new file "
        "with all tables",
        "found: the table products: each execution has a row with price",
    ],
}


@pytest.mark.parametrize("framework", few(FOUND, 2))
def test_the_conflict_of_an_application_is_found_with_what_was_written(
    project: Project, new: Command, framework: str
) -> None:
    write(project, framework)
    assert new("--app", framework).splitlines() == [
        *FOUND[framework],
        "written: conftest.py",
        "written: price-change.supercache.yaml",
        "run it:  pytest price-change.supercache.yaml",
        "then:    put the writer on another process (`node: b`), and see `supercache new --help`",
    ]
    before = _content(project)
    text = (project.path / "price-change.supercache.yaml").read_text().replace("PRICE-1", "APART")
    apart = text.replace("  writer:\n", "  writer:\n    node: b\n    steps:\n").replace(
        '    - write: {key: "1", value: 202}', '      - write: {key: "1", value: 202}'
    )
    assert apart.count("node: b") == 1
    project.scenario(apart, "apart")
    in_the_process = framework == "django"  # nobody forgets what another process keeps
    files = ["price-change.supercache.yaml", "apart.supercache.yaml"]
    chosen = files[: either(1 + in_the_process, 2)]
    project.run_apart(*chosen).assert_outcomes(failed=len(chosen))
    rows = project.rows()
    row = rows["PRICE-1"]
    assert (row["verdict"], row["label"]) == ("violated", "conflict")
    assert row["counterexample"]["conflict_class"] == "stale-set"
    assert _content(project) == before, "nothing is left in the application's own database"
    labels = [row["label"] for name, row in rows.items() if name == "APART"]
    assert labels == ["order bug" if in_the_process else "conflict"] * (len(chosen) - 1)


@pytest.mark.parametrize("framework", few(FOUND, 1))
def test_an_application_without_a_cache_holds_with_what_was_written(
    project: Project, new: Command, framework: str
) -> None:
    write(project, framework, left_out=STORES[framework])
    new("--app", framework)
    ran = project.run_apart("price-change.supercache.yaml")
    assert ran.ret == 0, ran.stdout.str()
    assert project.row()["verdict"] == "holds"


def test_no_file_is_written_over(project: Project, new: Command) -> None:
    write(project, "flask")
    conftest = project.path / "conftest.py"
    conftest.write_text("# mine\n")
    assert "written: scenarios/conftest.py\n" in new("--app", "flask")
    assert conftest.read_text() == "# mine\n"
    written = (project.path / "scenarios" / "conftest.py").read_text()
    assert "sys.path.insert(0, str(Path(__file__).parents[1]))" in written
    ran = project.run_apart("scenarios/price-change.supercache.yaml")
    assert ran.ret == 1, ran.stdout.str()
    assert project.row()["verdict"] == "violated"
    said = new("--app", "flask", code=2)
    assert "conftest.py and scenarios/conftest.py are there already" in said
    conftest.unlink()
    (project.path / "price-change.supercache.yaml").write_text("# mine\n")
    assert "price-change.supercache.yaml is there already" in new("--app", "flask", code=2)
    assert not conftest.exists()


NEEDS = "def create_app(settings, *, debug):\n    app = Flask('x')\n    return app\n"
ONLY_GET = "app = Flask('x')\n@app.get('/<key>')\ndef page(key):\n    return key\n"


@pytest.mark.parametrize(
    ("text", "said"),
    few(
        [
            ("", "not found: no Flask(...) in the Python files below"),
            (ONLY_GET, "not found: two routes that belong together"),
            (NEEDS, "not found: create_app(settings, debug) in app.py:2 needs arguments"),
            (
                f"{ONLY_GET}import nowhere\n",
                "not found: app.py cannot be imported: ModuleNotFoundError",
            ),
        ],
        2,
    ),
)
def test_what_cannot_be_found_is_told_and_nothing_is_written(
    project: Project, new: Command, text: str, said: str
) -> None:
    (project.path / "app.py").write_text(f"from flask import Flask\n{text}" if text else "")
    told = new("--app", "flask", code=1)
    assert said in told
    assert "nothing was written; docs/recipes.md shows what to write by hand" in told
    assert sorted(path.name for path in project.path.glob("*.*")) == ["app.py", "tox.ini"]


def test_django_without_settings_is_told(new: Command) -> None:
    assert "not found: no DJANGO_SETTINGS_MODULE in manage.py" in new("--app", "django", code=1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--app", "flask", "--class", "stampede"],
            "--class is of no use with --app; leave it out",
        ),
        (["--app", "flask", "scenarios/x"], "scenarios/x is no folder: with --app"),
        ([], "Missing argument 'PATH'"),
    ],
)
def test_wrong_calls_are_told(new: Command, arguments: list[str], said: str) -> None:
    assert said in new(*arguments, code=2)
    assert not Path("conftest.py").exists()


CHANGE = """
from django.views.decorators.http import require_POST

@require_POST
def change(request, name):
    product = Product.objects.get(name=name)
    product.price = request.POST["price"]
    product.save()
    return HttpResponse("changed")

def page_by_name(request, name):
    return page(request, Product.objects.get(name=name).pk)

urlpatterns = [
    path("pages/<slug:name>/", page_by_name),
    path("pages/<slug:name>/price/", change),
]
"""


def test_a_view_of_django_that_changes_a_model_is_the_change(
    project: Project, new: Command
) -> None:
    write(project, "django")
    urls = project.path / "shop" / "urls.py"
    urls.write_text(f"{urls.read_text()}\n{CHANGE}")
    ini = project.path / "tox.ini"
    ini.write_text(f"{ini.read_text()}\nDJANGO_SETTINGS_MODULE = site_settings\n")
    said = new("--app", "django")
    assert "found: settings site_settings (tox.ini)" in said
    assert "found: GET /pages/{key}/, which shows shop.models.Product.price" in said
    assert "found: POST /pages/{key}/price/ with price" in said
    written = (project.path / "conftest.py").read_text()
    assert 'update_or_create(pk=1, defaults={"name": "1", "price": OLD})' in written
    assert "DJANGO_SETTINGS_MODULE" not in written
    ran = project.run_apart("price-change.supercache.yaml")
    assert ran.ret == 1, ran.stdout.str()
    assert project.row()["counterexample"]["conflict_class"] == "stale-set"


@pytest.mark.parametrize(
    ("define", "client", "saves"),
    [
        ("async def", "await AsyncClient().get(", "await row.asave()"),
        ("def", "Client().get(", "row.save()"),
    ],
)
def test_pages_of_django_that_are_coroutines_are_awaited(
    project: Project, new: Command, define: str, client: str, saves: str
) -> None:
    write(project, "django")
    urls = project.path / "shop" / "urls.py"
    urls.write_text(urls.read_text().replace("def page(", f"{define} page("))
    said = new("--app", "django")
    is_async = define != "def"
    assert ("found: views that are coroutines" in said) is is_async
    written = (project.path / "conftest.py").read_text()
    assert f"    {define} get(self, key):" in written
    assert f"        answer = {client}" in written
    assert f"            {saves}" in written
    assert "\ndef opened(layers):" in written


def test_a_database_that_is_not_led_elsewhere_is_to_do(project: Project, new: Command) -> None:
    write(project, "fastapi")
    main = project.path / "shop" / "main.py"
    main.write_text(
        main.read_text().replace(
            'create_engine("sqlite:///shop.db", connect_args={"check_same_thread": False})',
            'create_engine("postgresql+psycopg://me:secret@db/shop")\nsqlite3.connect("other.db")',
        ).replace("import redis.asyncio", "import redis.asyncio, sqlite3")
    )  # fmt: skip
    said = new("--app", "fastapi")
    assert "to do: shop/main.py:9 opens a SQLite file: give each execution one of its own" in said
    assert "to do: the engine shop.main.engine (postgresql+psycopg://***@db/shop) is on a" in said
    assert "own_database" not in (project.path / "conftest.py").read_text()


IN_A_FACTORY = """
from flask import Flask, request
from sqlalchemy import create_engine

def create_app(database="sqlite:///shop.db", *, debug=False):
    app = Flask(__name__)
    engine = create_engine(database)
    app.add_url_rule("/products/<int:number>", endpoint="page", view_func=str)
    app.add_url_rule("/products/<int:number>", view_func=change, methods=["PUT"])
    return app

def change(number):
    return str(request.get_json()["price"])
"""


def test_what_is_left_to_do_stands_in_the_conftest_too(project: Project, new: Command) -> None:
    (project.path / "app.py").write_text(IN_A_FACTORY)
    said = new("--app", "flask")
    told = [line for line in said.splitlines() if line.startswith("to do: ")]
    assert (
        told[-1] == "to do: create_app() takes database, debug: give it what is the execution's own"
    )
    written = (project.path / "conftest.py").read_text()
    assert "    # To do: app.py:7 makes an engine: give each execution one of its own" in written
    assert "# To do: create_app() takes database, debug: give it what is the execution's" in written


WIKI = """
import sqlite3

from flask import Flask, current_app, redirect, request

kept = {}

def connected():
    return sqlite3.connect(current_app.config["DATABASE"])

def show(slug):
    if slug not in kept:
        with connected() as db:
            ((kept[slug],),) = db.execute("SELECT body FROM page WHERE slug = ?", (slug,))
    return f"<article>{kept[slug]}</article>"

def edit(slug):
    if request.method == "POST":
        with connected() as db:
            db.execute("REPLACE INTO page VALUES (?, ?)", (slug, request.form["body"]))
        kept.pop(slug, None)
        return redirect(f"/{slug}")
    return "<form method=post><textarea name=body></textarea></form>"

def create_app(config=None):
    app = Flask(__name__)
    app.config["DATABASE"] = "wiki.db"
    app.add_url_rule("/<slug>", view_func=show)
    app.add_url_rule("/<slug>/edit", view_func=edit, methods=["GET", "POST"])
    with app.app_context(), connected() as db:
        db.execute("CREATE TABLE IF NOT EXISTS page (slug TEXT PRIMARY KEY, body TEXT)")
    return app
"""


def test_a_page_is_preferred_to_its_form_and_a_setting_may_name_the_database(
    project: Project, new: Command
) -> None:
    package = project.path / "src" / "wiki"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(WIKI)
    said = new("--app", "flask")
    assert "found: GET /{key}, POST /{key}/edit with body" in said
    assert (
        "found: the SQLite file wiki.db (src/wiki/__init__.py:9): each execution has a copy" in said
    )
    written = (project.path / "conftest.py").read_text()
    assert 'sys.path.insert(0, str(Path(__file__).parent / "src"))' in written
    assert "# To do" not in written
    before = (project.path / "wiki.db").read_bytes()
    ran = project.run_apart("body-change.supercache.yaml")
    assert ran.ret == 1, ran.stdout.str()
    assert (project.row()["verdict"], project.row()["label"]) == ("violated", "conflict")
    assert (project.path / "wiki.db").read_bytes() == before
