"""State of the code under test that only objects of a framework lead to.

Two users load what nobody has loaded yet. Without a lock both may; under a lock only one does, and
that in every execution: each finds the state as the check has found it.
"""

import asyncio
import contextlib
import dataclasses
import threading
import typing

import django
import fastapi
import flask
import httpx
import jinja2
import jinja2.ext
import pydantic
import pytest
import sqlalchemy
import sqlalchemy.orm
import starlette.applications
from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template import Context, Engine
from django.template.library import Library
from django.urls import path
from django.views import View

from tests.soundness.truth import System, broken, right, systems_of

if not settings.configured:
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "none yet"}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    )
    django.setup()

REDIS = []


def load():
    """Do the work that is to be done once."""
    REDIS[-1].incr("loads")


class Once:
    """Does it on its first call."""

    def __init__(self):
        self.is_warm = False

    def __call__(self, value=None):
        if not self.is_warm:
            load()
            self.is_warm = True
        return value


class OnceByEntry:
    """Does it on its first call, and knows that by a dict within a dict."""

    def __init__(self):
        self.known = {"inner": {}}

    def __call__(self, value=None):
        if "k" not in self.known["inner"]:
            load()
            self.known["inner"]["k"] = 1
        return value


def once(value=None):
    """Do it on the first call; a closure knows whether this is the first one."""
    known = []

    def first(value=value):
        if not known:
            load()
            known.append(1)
        return value

    return first


class OnceInTemplates(jinja2.ext.Extension):
    """An extension of Jinja."""

    def __init__(self, environment):
        super().__init__(environment)
        self.once = Once()
        environment.globals["extended"] = self.once


JINJA = jinja2.Environment(extensions=[OnceInTemplates])
JINJA.filters["once"] = Once()
JINJA.tests["first"] = OnceByEntry()
JINJA.globals["shared"] = {"seen": []}
BY_FILTER = JINJA.from_string("{{ 1|once }}")
BY_TEST = JINJA.from_string("{{ 1 is first }}")
BY_EXTENSION = JINJA.from_string("{{ extended(1) }}")

LIBRARY = Library()
LIBRARY.filter("once", once())
ENGINE = Engine()
ENGINE.template_builtins.append(LIBRARY)
BY_DJANGO_FILTER = ENGINE.from_string("{{ one|once }}")

MAKER = sqlalchemy.orm.sessionmaker(info={"seen": []})
SQL = sqlalchemy.create_engine("sqlite://", execution_options={"seen": {}})


class Page(View):
    """A view with state in its arguments."""

    seen = None

    def get(self, request):
        if not self.seen:
            load()
            self.seen.append(1)
        return HttpResponse("")


URLS = [path("page", Page.as_view(seen=[]))]


class Form(forms.Form):
    """A form whose field has a validator with state."""

    name = forms.CharField(validators=[OnceByEntry()], error_messages={"seen": []})


FLASK = flask.Flask("behind")
FLASK.extensions["of_ours"] = Once()
FLASK.config["SEEN"] = {"inner": []}
FLASK.before_request(once())
FLASK.add_url_rule("/", view_func=lambda: "")

STARLETTE = starlette.applications.Starlette()
STARLETTE.state.seen = []


class Model(pydantic.BaseModel):
    """A model with state in what pydantic has made of its annotations."""

    written: typing.Annotated[int, pydantic.PlainSerializer(Once())]
    made: int = pydantic.Field(default_factory=once(1))


@dataclasses.dataclass
class Row:
    """A row with state in what a field says of itself."""

    checked: int = dataclasses.field(metadata={"once": Once()})


class OfThread(threading.local):
    """What each thread makes anew with the same arguments."""

    def __init__(self, known):
        self.known = known


class Loader(jinja2.BaseLoader):
    """A loader that loads when it is asked for a template, which Jinja keeps."""

    def get_source(self, environment, template):
        load()
        return template, None, lambda: True


LOADED = jinja2.Environment(loader=Loader())
MODEL, OF_THREAD = Model(written=1, made=1), OfThread([])


def _by_entries(seen):
    if not seen:
        load()
        seen.append(1)


def _in_the_environment():
    _by_entries(JINJA.globals["shared"]["seen"])


def _in_a_session():
    with MAKER() as session:
        _by_entries(session.info["seen"])


def _in_options():
    seen = SQL.get_execution_options()["seen"]
    if "k" not in seen:
        load()
        seen["k"] = 1


def _in_the_application():
    with FLASK.app_context():
        if not hasattr(flask.current_app, "is_warm"):
            load()
            flask.current_app.is_warm = True


def _in_what_flask_builds():
    with FLASK.app_context():
        known = flask.current_app.jinja_env.globals
        if "k" not in known:
            load()
            known["k"] = 1


def _in_a_view():
    request = HttpRequest()
    request.method = "GET"
    URLS[0].callback(request)


def _in_error_messages():
    _by_entries(Form.base_fields["name"].error_messages["seen"])


ASKS = {
    "a_filter_of_jinja": lambda: BY_FILTER.render(),
    "a_test_of_jinja": lambda: BY_TEST.render(),
    "an_extension_of_jinja": lambda: BY_EXTENSION.render(),
    "a_global_of_jinja": _in_the_environment,
    "a_filter_of_django": lambda: BY_DJANGO_FILTER.render(Context({"one": 1})),
    "the_info_of_sessions": _in_a_session,
    "the_options_of_an_engine": _in_options,
    "the_arguments_of_a_view": _in_a_view,
    "a_validator_of_a_field": lambda: Form({"name": "x"}).is_valid(),
    "messages_of_a_field": _in_error_messages,
    "an_extension_of_flask": lambda: FLASK.extensions["of_ours"](),
    "the_config_of_flask": lambda: _by_entries(FLASK.config["SEEN"]["inner"]),
    "a_callback_of_flask": lambda: FLASK.test_client().get("/"),
    "an_attribute_of_flask": _in_the_application,
    "a_global_that_flask_builds": _in_what_flask_builds,
    "a_serializer_of_pydantic": lambda: MODEL.model_dump(),
    "a_default_of_pydantic": lambda: Model(written=1),
    "metadata_of_a_field": lambda: dataclasses.fields(Row)[0].metadata["once"](),
    "arguments_of_each_thread": lambda: _by_entries(OF_THREAD.known),
    "the_state_of_starlette": lambda: _by_entries(STARLETTE.state.seen),
}


@right("Jinja keeps the template that it has asked for, in every execution")
def a_template_is_loaded_by_one_and_kept_for_the_other(world):
    redis = world.existing_cache.client(decode_responses=True)
    REDIS[:] = [redis]
    lock = threading.Lock()

    def render():
        with lock:
            LOADED.get_template("page").render()

    world.actor("alice", render)
    world.actor("bob", render)
    world.run()
    assert redis.get("loads") == "1"


def _bodies(name, ask):
    def unlocked(world):
        REDIS[:] = [world.existing_cache.client(decode_responses=True)]
        world.actor("alice", ask)
        world.actor("bob", ask)
        world.run()
        assert int(REDIS[-1].get("loads") or 0) == 1

    def locked(world):
        REDIS[:] = [world.existing_cache.client(decode_responses=True)]
        lock = threading.Lock()

        def ask_alone():
            with lock:
                ask()

        world.actor("alice", ask_alone)
        world.actor("bob", ask_alone)
        world.run()
        assert int(REDIS[-1].get("loads") or 0) == 1

    unlocked.__name__, locked.__name__ = f"{name}_without_a_lock", f"{name}_under_a_lock"
    broken("both find it cold")(unlocked)
    right("the first one warms it, in every execution")(locked)


for _name, _ask in ASKS.items():
    _bodies(_name, _ask)


class Loading:
    """A dependency that loads once."""

    def __init__(self, lock=None):
        self.lock, self.is_warm = lock, False

    async def __call__(self):
        if self.lock is None:
            await self._load()
            return
        async with self.lock:
            await self._load()

    async def _load(self):
        if not self.is_warm:
            await REDIS[-1].incr("loads")
            self.is_warm = True


class OwnState:
    """One of our own, which the framework makes for the first request."""

    def __init__(self, app, is_alone):
        self.app, self.is_warm = app, False
        self.lock = asyncio.Lock() if is_alone else contextlib.nullcontext()

    async def __call__(self, scope, receive, send):
        async with self.lock:
            if not self.is_warm:
                await REDIS[-1].incr("loads")
                self.is_warm = True
        await self.app(scope, receive, send)


class Middleware:
    """One of our own, with a dependency."""

    def __init__(self, app, loading):
        self.app, self.loading = app, loading

    async def __call__(self, scope, receive, send):
        await self.loading()
        await self.app(scope, receive, send)


async def _index():
    return {}


def _app_with_dependency(lock):
    app, router = fastapi.FastAPI(), fastapi.APIRouter()
    router.add_api_route("/", _index, dependencies=[fastapi.Depends(Loading(lock))])
    app.include_router(router)
    return app


def _app_with_middleware(lock):
    app = fastapi.FastAPI()
    app.add_api_route("/", _index)
    app.add_middleware(Middleware, loading=Loading(lock))
    return app


class OurApp(fastapi.FastAPI):
    """An application of our own class."""


def _app_with_own_state(lock, make=fastapi.FastAPI):
    app = make()
    app.add_api_route("/", _index)
    app.add_middleware(OwnState, is_alone=lock is not None)
    return app


APPS = {
    "state_behind_our_own_application": (
        _app_with_own_state(None, OurApp),
        _app_with_own_state(1, OurApp),
    ),
    "state_of_a_middleware": (_app_with_own_state(None), _app_with_own_state(1)),
    "a_dependency": (_app_with_dependency(None), _app_with_dependency(asyncio.Lock())),
    "a_middleware": (_app_with_middleware(None), _app_with_middleware(asyncio.Lock())),
}


def _asked_twice(app):
    async def body(world):
        REDIS[:] = [world.existing_cache.aclient(decode_responses=True)]

        async def ask():
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://shop"
            ) as client:
                assert (await client.get("/")).status_code == 200

        world.actor("alice", ask)
        world.actor("bob", ask)
        await world.run()
        assert int(await REDIS[-1].get("loads") or 0) == 1

    return body


for _name, (_unlocked, _locked) in APPS.items():
    _body = _asked_twice(_unlocked)
    _body.__name__ = f"{_name}_without_a_lock"
    broken("both find it cold")(_body)
    _body = _asked_twice(_locked)
    _body.__name__ = f"{_name}_under_a_lock"
    right("the first one warms it, in every execution")(_body)


def _source(_name):
    load()
    return "x"


LATE = jinja2.Environment(loader=jinja2.FunctionLoader(_source))


def _after_a_lost_update(*, is_last_alone):
    """Users count; whoever has come after the other, and finds a count too low, loads a template.

    No execution is the first to do so before dozens have not.
    """

    def body(world):
        redis = world.existing_cache.client(decode_responses=True)
        REDIS[:] = [redis]

        def add():
            for _ in range(2):
                redis.incr("more")
            redis.set("n", int(redis.get("n") or 0) + 1)
            done = redis.incr("done")
            if not is_last_alone:
                done = int(redis.get("done"))
            if done == 2 and redis.get("n") == "1":
                LATE.get_template("t")

        world.actor("alice", add)
        world.actor("bob", add)
        world.run()
        expected = (None, "1") if redis.get("n") == "2" else ("1",)
        assert redis.get("loads") in expected, redis.get("loads")

    body.__name__ = f"late_{'by_the_last' if is_last_alone else 'by_both'}"
    return body


right("the last one loads it, in every execution that loses an update")(
    _after_a_lost_update(is_last_alone=True)
)
broken("both may have come after the other, and find it cold")(
    _after_a_lost_update(is_last_alone=False)
)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_truth_is_told(system):
    system.must_be_told()


def test_what_a_test_has_put_into_its_application_is_undecided():
    app, once = flask.Flask("made"), Once()
    app.extensions["of_ours"] = once

    def body(world):
        REDIS[:] = [world.existing_cache.client(decode_responses=True)]
        lock = threading.Lock()

        def ask():
            with lock:
                app.extensions["of_ours"]()

        world.actor("alice", ask)
        world.actor("bob", ask)
        world.run()
        assert int(REDIS[-1].get("loads") or 0) == 1

    found = "one execution finds in app what an earlier one has left there"
    System("made by a test", body, False, "the first one warms it", unknown=found).must_be_told()


@pytest.mark.parametrize("make", [fastapi.FastAPI, OurApp])
@pytest.mark.parametrize("is_alone", [False, True])
def test_a_middleware_of_an_application_that_a_test_made_is_cold_in_every_execution(is_alone, make):
    body = _asked_twice(_app_with_own_state(1 if is_alone else None, make))
    System("made by a test", body, not is_alone, "one may wait for the other").must_be_told()
