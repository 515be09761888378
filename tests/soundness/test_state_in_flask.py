"""What requests keep in a Flask application is raced; what belongs to one request is not."""

import pytest
from flask import Flask, current_app, g, session

from pytest_supercache import Verdict, check


def _counted_in_config(app):
    seen = app.config["seen"]
    app.config["seen"] = seen + 1
    return seen


def _counted_in_config_of_the_current_app(_app):
    seen = current_app.config["seen"]
    current_app.config["seen"] = seen + 1
    return seen


def _counted_in_an_attribute(app):
    seen = app.seen
    app.seen = seen + 1
    return seen


def _counted_in_an_extension(_app):
    kept = current_app.extensions["shop"]
    kept["seen"] = seen = kept["seen"] + 1
    return seen - 1


def _counted_in_g(_app):
    g.seen = g.get("seen", 0) + 1
    return g.seen


def _counted_in_the_session(_app):
    session["seen"] = session.get("seen", 0) + 1
    return session["seen"]


def two_requests(count):
    """Return a body: two clients are answered by one application, which tells each a number."""

    def body(world):
        app = Flask("shop")
        app.secret_key = "of a test"
        app.config["seen"] = app.seen = 0
        app.extensions["shop"] = {"seen": 0}
        app.add_url_rule("/", view_func=lambda: str(count(app)))
        for name in ("alice", "bob"):
            world.actor(name, lambda: app.test_client().get("/").text)
        told = world.run()
        if count in SHARED:
            assert set(told.values()) == {"0", "1"}
        else:
            assert set(told.values()) == {"1"}

    return body


SHARED = (
    _counted_in_config,
    _counted_in_config_of_the_current_app,
    _counted_in_an_attribute,
    _counted_in_an_extension,
)
OF_A_REQUEST = (_counted_in_g, _counted_in_the_session)


@pytest.mark.parametrize("count", SHARED)
def test_a_counter_of_the_application_is_raced(count):
    assert check(two_requests(count)).verdict is Verdict.VIOLATED


@pytest.mark.parametrize("count", OF_A_REQUEST)
def test_a_counter_of_one_request_is_not(count):
    result = check(two_requests(count))
    assert result.verdict is Verdict.HOLDS
    assert result.executions < 10, "what Flask keeps for itself has no steps"


class Near:
    def __init__(self):
        self.seen = 0


def _counted_in_an_object(_app):
    near = current_app.extensions["near"]
    near.seen = seen = near.seen + 1
    return seen - 1


def test_an_object_of_the_application_is_named_by_the_way_to_it():
    def body(world):
        app = Flask("shop")
        app.extensions["near"] = Near()
        app.add_url_rule("/", view_func=lambda: str(_counted_in_an_object(app)))
        for name in ("alice", "bob"):
            world.actor(name, lambda: app.test_client().get("/").text)
        assert set(world.run().values()) == {"0", "1"}

    result = check(body, stop_at_first=False)
    assert (result.verdict, result.exhausted) == (Verdict.VIOLATED, True)
    assert "Near.seen" in result.coverage
    assert "<alice>" not in result.coverage
