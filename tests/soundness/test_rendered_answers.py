"""What Flask makes text of is read, with all that is inside, and not written."""

import json

import flask
import pytest

from pytest_supercache import Verdict, check


def by_jsonify(product):
    return json.loads(flask.jsonify(product).get_data())


def by_dumps(product):
    return json.loads(flask.json.dumps(product))


BY = [by_jsonify, by_dumps]


def checked(rendered, *, is_changed):
    """Two users are shown one cached product; or a second one changes it in place meanwhile."""

    def body(world):
        app, redis = flask.Flask("shop"), world.existing_cache.client()
        cached = {"tea": {"price": {"net": 100, "gross": 119}}}

        def show():
            redis.get("session")
            with app.app_context():
                return rendered(cached["tea"])["price"]

        def change():
            price = cached["tea"]["price"]
            price["net"] = 200
            redis.get("session")
            price["gross"] = 238

        world.actor("alice", show)
        world.actor("bob", change if is_changed else show)
        shown = world.run()["alice"]
        assert shown["gross"] - shown["net"] in {19, 38}

    return check(body)


@pytest.mark.parametrize("rendered", BY)
def test_two_who_are_shown_one_object_share_nothing(rendered):
    result = checked(rendered, is_changed=False)
    assert result.verdict is Verdict.HOLDS
    assert "at shared memory" not in result.coverage


@pytest.mark.parametrize("rendered", BY)
def test_a_change_in_place_is_seen_by_who_is_shown_the_object(rendered):
    assert checked(rendered, is_changed=True).verdict is Verdict.VIOLATED
