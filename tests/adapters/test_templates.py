"""Templates of Jinja and of Django read what they are given."""

import threading
from contextlib import nullcontext

import django
import flask
import jinja2
import jinja2.sandbox
import pytest
from django.conf import settings
from django.template import Context, Engine

from tests.soundness.truth import broken, right, systems_of

if not settings.configured:
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "none yet"}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    )
    django.setup()


class Price:
    def __init__(self):
        self.net, self.tax, self.parts = 1, 1, [1, 1]

    def both(self):
        return f"{self.net}-{self.tax}"


def _two_prices(text):
    return "{% for part in price.parts %}" + text + "{% endfor %}"


EXTENDING = "{% extends 'page' %}{% block shown %}{{ price.net }}-{{ price.tax }}{% endblock %}"
DJANGO = {
    "attributes": "{{ price.net }}-{{ price.tax }}",
    "a_method": "{{ price.both }}",
    "a_loop": _two_prices("{{ part }}{% if not forloop.last %}-{% endif %}"),
    "a_filter": "{{ price.parts|join:'-' }}",
    "indexes": "{{ price.parts.0 }}-{{ price.parts.1 }}",
    "conditions": "{% if price.net == 1 %}1{% else %}2{% endif %}-{{ price.tax|default:0 }}",
    "names": "{% with net=price.net tax=price.tax %}{{ net }}-{{ tax }}{% endwith %}",
    "a_parent": EXTENDING,
    "a_part": "{% include 'part' %}",
}
JINJA = {
    "attributes": "{{ price.net }}-{{ price.tax }}",
    "a_method": "{{ price.both() }}",
    "a_loop": _two_prices("{{ part }}{% if not loop.last %}-{% endif %}"),
    "a_plain_loop": _two_prices("-{{ part }}"),
    "a_filter": "{{ price.parts|join('-') }}",
    "more_filters": "{{ [price]|map(attribute='net')|first }}-{{ price|attr('tax') }}",
    "items": "{{ price.parts[0] }}-{{ price['parts'][-1] }}",
    "a_macro": "{% macro of(p) %}{{ p.net }}-{{ p.tax }}{% endmacro %}{{ of(price) }}",
    "names": "{% set net = price.net %}{% set tax = price.tax %}{{ net }}-{{ tax }}",
    "a_parent": EXTENDING,
    "a_part": "{% include 'part' %}",
    "an_import": "{% from 'macros' import of %}{{ of(price) }}",
}
TEMPLATES = {
    "page": "{% block shown %}{% endblock %}",
    "part": "{{ price.net }}-{{ price.tax }}",
    "macros": "{% macro of(p) %}{{ p.net }}-{{ p.tax }}{% endmacro %}",
}
_engine = Engine(
    loaders=[
        (
            "django.template.loaders.cached.Loader",
            [("django.template.loaders.locmem.Loader", TEMPLATES)],
        )
    ]
)
_jinja = jinja2.Environment(loader=jinja2.DictLoader(TEMPLATES), autoescape=True)
_sandbox = jinja2.sandbox.SandboxedEnvironment(loader=jinja2.DictLoader(TEMPLATES))


def _of_django(text):
    template = _engine.from_string(text)
    return lambda price: template.render(Context({"price": price}))


def _of_jinja(text, environment=_jinja):
    template = environment.from_string(text)
    return lambda price: template.render(price=price)


def _compiled_in_the_race(price):
    return jinja2.Template(JINJA["attributes"]).render(price=price)


def _generated(price):
    return "".join(_jinja.from_string(JINJA["attributes"]).generate({"price": price}))


def _by_flask(price):
    app = flask.Flask("shop")
    app.get("/")(lambda: flask.render_template_string(JINJA["attributes"], price=price))
    return app.test_client().get("/").text


def _of_globals(price):
    environment = jinja2.Environment()
    environment.globals["price"] = price
    return environment.from_string(JINJA["attributes"]).render()


def _shown_while_changed(world, render, guard):
    price = Price()

    def show():
        with guard:
            return render(price)

    def change():
        with guard:
            price.net = 2
            price.parts[0] = 2
            price.tax = 2
            price.parts[1] = 2

    world.actor("page", show)
    world.actor("change", change)
    assert world.run()["page"].strip("-") in {"1-1", "2-2"}


def _state(name, render):
    def body(world):
        _shown_while_changed(world, render, nullcontext())

    def body_with_a_lock(world):
        _shown_while_changed(world, render, threading.Lock())

    body.__name__, body_with_a_lock.__name__ = name, f"{name}_under_a_lock"
    broken("the page shows one price of before, and one of after")(body)
    right("nobody changes a price while the page is made")(body_with_a_lock)


for _name, _text in DJANGO.items():
    _state(f"django_{_name}", _of_django(_text))
for _name, _text in JINJA.items():
    _state(f"jinja_{_name}", _of_jinja(_text))
_state("sandboxed", _of_jinja(JINJA["attributes"], _sandbox))
_state("compiled_in_the_race", _compiled_in_the_race)
_state("generated", _generated)
_state("by_flask", _by_flask)
_state("of_globals", _of_globals)


def _two_pages(world, render):
    price = Price()
    world.actor("one", render, price)
    world.actor("two", render, price)
    assert set(world.run().values()) == {"1-1"}


@right("nobody changes what the two pages show")
def two_pages_of_django(world):
    _two_pages(world, _of_django(DJANGO["a_parent"]))


@right("nobody changes what the two pages show")
def two_pages_of_jinja(world):
    _two_pages(world, _of_jinja(JINJA["a_parent"]))


@right("each user compiles a template for itself")
def two_pages_compiled(world):
    _two_pages(world, _compiled_in_the_race)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
