"""What `supercache new --app` reads in sources and in the description of an application."""

import json

import pytest

from pytest_supercache.cli.starting.request_fields import fields_of
from pytest_supercache.cli.starting.sources import applications, database_files, module_names
from pytest_supercache.cli.starting.table_rows import row_for
from pytest_supercache.cli.starting.web_app import best_pair, of_fastapi, of_flask

request = json.request = None


class PriceForm:
    base_fields = ("price", "reason")

    def __init__(self, data):
        pass


def in_json():
    return request.json["price"]


def in_get_json():
    data = request.get_json() or {}
    return data.get("price"), data["reason"]


def in_the_body():
    data = json.loads(request.body)
    return data["price"]


def in_a_form():
    return request.form["price"], request.args["page"]


def in_django_s_form():
    return request.POST.get("price")


def in_a_form_object():
    return PriceForm(request.POST)


def in_the_query():
    return request.args.get("price")


def as_a_whole():
    price = request.get_json()
    return float(price)


def in_nothing(cache):
    return cache["price"], cache.get("price")


@pytest.mark.parametrize(
    ("view", "kind", "names"),
    [
        (in_json, "json", ("price",)),
        (in_get_json, "json", ("price", "reason")),
        (in_the_body, "json", ("price",)),
        (in_a_form, "form", ("price",)),
        (in_django_s_form, "form", ("price",)),
        (in_a_form_object, "form", ("price", "reason")),
        (in_the_query, "params", ("price",)),
        (as_a_whole, "json", ()),
    ],
)
def test_a_view_tells_which_fields_it_takes(view, kind, names):
    assert fields_of(view) == (kind, names)


@pytest.mark.parametrize("view", [in_nothing, len])
def test_a_view_that_looks_into_no_request_tells_nothing(view):
    assert fields_of(view) is None


SOURCES = {
    "main.py": "application = Flask(__name__)\n",
    "shop/__init__.py": "def create_app(debug=False, *, name='x'):\n    return Flask(name)\n",
    "shop/other.py": "def create(settings):\n    return flask.Flask('x')\n",
    "shop/store.py": "P = 'a'\nsqlite3.connect(P)\nsqlite3.connect('b')\nother.connect(P)\n",
    "tests/test_it.py": "app = Flask('x')\n",
    "venv/lib.py": "app = Flask('x')\n",
    "broken.py": "app = Flask('x'\n",
    "later.py": "def register():\n    app = Flask('x')\n",
}


@pytest.fixture
def project(tmp_path):
    for name, text in SOURCES.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return tmp_path


def test_applications_are_found_in_the_order_in_which_they_are_tried(project):
    assert [(app.name, app.is_factory, app.required) for app in applications(project, "Flask")] == [
        ("create_app", True, ()),
        ("application", False, ()),
        ("create", True, ("settings",)),
    ]


def test_a_file_of_a_database_is_a_constant_or_cannot_be_changed(project):
    assert [(line, name) for _, line, name in database_files(project)] == [(2, "P"), (3, None)]


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("shop/__init__.py", [("", "shop")]),
        ("shop/store.py", [("", "shop.store")]),
        ("back/main.py", [("", "back.main"), ("back", "main")]),
        ("src/main.py", [("src", "main"), ("", "src.main")]),
        ("back-end/main.py", [("back-end", "main")]),
    ],
)
def test_a_module_is_imported_from_the_project_or_from_its_own_folder(project, file, names):
    found = [
        (str(place.relative_to(project)), name)
        for place, name in module_names(project / file, project)
    ]
    assert found == [(place or ".", name) for place, name in names]


def _fastapi(**routes):
    """Return an application's description; a route is `method_path`, and what it takes."""
    paths = {}
    for name, taken in routes.items():
        method, _, path = name.partition("_")
        paths.setdefault(f"/{path.replace('__', '/')}/{{id}}", {})[method] = taken
    return type("App", (), {"openapi": lambda self: {"paths": paths, "components": COMPONENTS}})()


COMPONENTS = {
    "Price": {
        "properties": {
            "name": {"type": "string"},
            "price": {"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "null"}]},
        },
        "required": ["name", "price"],
    },
    "Dated": {"properties": {"at": {"type": "string", "format": "date"}, "n": {"type": "integer"}},
              "required": ["at", "n"]},
}  # fmt: skip


def _takes(schema, media="application/json"):
    return {"requestBody": {"content": {media: {"schema": schema}}}}


PRICE = {"$ref": "#/components/Price"}


@pytest.mark.parametrize(
    ("taken", "argument"),
    [
        (_takes(PRICE), 'json={"price": value, "name": "x"}'),
        (_takes({"type": "integer"}), "json=value"),
        (_takes({"properties": {"n": {"type": "string"}}}, "application/x-www-form-urlencoded"),
         'data={"n": value}'),
        ({"parameters": [{"in": "query", "name": "n", "schema": {"type": "integer"}},
                         {"in": "path", "name": "id", "schema": {"type": "integer"}}]},
         'params={"n": value}'),
    ],
)  # fmt: skip
def test_a_change_of_fastapi_is_called_with_all_that_it_needs(taken, argument):
    page, key, change = best_pair(*of_fastapi(_fastapi(get_items={}, put_items=taken)))
    assert (page, key, change.method, change.argument) == ("/items/{key}", "1", "put", argument)


@pytest.mark.parametrize(
    "taken",
    [
        _takes({"$ref": "#/components/Dated"}),
        _takes({"type": "integer", "maximum": 5}),
        _takes({"properties": {"kind": {"type": "string", "enum": ["a"]}}}),
        {},
    ],
)
def test_a_change_whose_values_nobody_can_guess_is_none(taken):
    assert best_pair(*of_fastapi(_fastapi(get_items={}, put_items=taken))) is None


def test_a_page_and_a_change_are_of_one_resource():
    app = _fastapi(get_items={}, put_orders=_takes(PRICE), post_items=_takes(PRICE))
    page, _, change = best_pair(*of_fastapi(app))
    assert (page, change.path, change.method) == ("/items/{key}", "/items/{key}", "post")
    assert best_pair(*of_fastapi(_fastapi(get_items={}, put_orders=_takes(PRICE)))) is None


def _tables(**columns):
    from sqlalchemy import Column, Date, ForeignKey, Integer, MetaData, Numeric, String, Table

    kinds = {"int": Integer, "text": String, "price": Numeric, "date": Date}
    metadata = MetaData()
    for name, text in columns.items():
        made = [Column("id", Integer, primary_key=True)]
        for column in text.split():
            field, kind = column.rstrip("?").split(":")
            extra = [ForeignKey("polls.id")] if kind == "key" else []
            made.append(Column(field, kinds.get(kind, Integer), *extra, nullable=column[-1] == "?"))
        Table(name, metadata, *made)
    return metadata


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        ({"poll": "price:price"}, ("poll", {"id": "1", "price": "OLD"}, True)),
        ({"poll": "price:text name:text at:date?"},
         ("poll", {"id": "1", "price": "OLD", "name": '"x"'}, False)),
        ({"a": "price:int", "polls": "price:int"}, ("polls", {"id": "1", "price": "OLD"}, True)),
        ({"polls": "name:text", "a": "price:int"}, ("a", {"id": "1", "price": "OLD"}, True)),
        ({"poll": "price:int at:date"}, None),
        ({"polls": "name:text", "a": "price:int poll:key"}, None),
        ({"poll": "price:date"}, None),
        ({"poll": "name:text"}, None),
    ],
)  # fmt: skip
def test_a_row_of_the_table_that_a_page_shows_has_all_that_it_needs(columns, row):
    assert row_for(_tables(**columns), "/polls/{key}", "price", "1") == row


def test_routes_of_flask_are_read_in_their_views():
    from flask import Flask, request
    from flask.views import MethodView

    app = Flask("shop")

    class Item(MethodView):
        def get(self, name):
            return name

        def patch(self, name):
            return request.form["price"]

    app.add_url_rule("/items/<string:name>", view_func=Item.as_view("item"))
    app.add_url_rule("/all", view_func=lambda: "")
    page, key, change = best_pair(*of_flask(app))
    assert (page, key) == ("/items/{key}", "1")
    assert change[:4] == ("patch", "/items/{key}", "price", 'data={"price": value}')
