"""HTTP clients as systems: `get` sends a request there, and is no question for a key."""

from tests.plugin.conftest import Project

CLIENTS = """
import json

import httpx
import requests
from django.test import RequestFactory
from werkzeug.test import Client as WerkzeugClient

def _served(layers):
    db = layers.origin

    def app(request):
        key = request.url.path.strip("/")
        if request.method == "PUT":
            db.set(key, json.loads(request.content))
        return httpx.Response(200, json=db.get(key))

    return {"transport": httpx.MockTransport(app), "base_url": "http://shop"}

@sc.system("httpx")
def in_httpx(layers):
    return httpx.Client(**_served(layers))

class ShopClient(httpx.Client):
    def get(self, key):
        return super().get(f"/{key}").json()

    def set(self, key, value):
        self.put(f"/{key}", json=value)

@sc.system("wrapped")
def wrapped(layers):
    return ShopClient(**_served(layers))

@sc.system("requests")
def in_requests(layers):
    return requests.Session()

@sc.system("django")
def in_django(layers):
    return RequestFactory()

@sc.system("werkzeug")
def in_werkzeug(layers):
    return WerkzeugClient(lambda environ, start: [])

@sc.verb("fetch", observes=lambda answer, key: {key: answer})
def fetch(system, _user, key):
    return system.request("GET", f"/{key}").json()

@sc.verb("store", writes=lambda key, value: {key: value})
def store(system, _user, key, value):
    system.request("PUT", f"/{key}", json=value)
"""

FLOW = """
scenario: Two users of a shop behind HTTP
id: {systems}
systems: {{{systems}: holds}}
given: {{origin: {{k: 1}}}}
users:
  alice: [{read}]
  bob: [{write}]
"""


def _flow(system: str, read: str, write: str) -> str:
    return FLOW.format(systems=system, read=read, write=write)


KINDS = {
    "httpx": "httpx.Client",
    "requests": "requests.sessions.Session",
    "django": "django.test.client.RequestFactory",
    "werkzeug": "werkzeug.test.Client",
}


def test_an_http_client_is_not_read_like_a_cache_but_with_verbs_or_a_get_of_its_own_is_a_system(
    project: Project,
) -> None:
    project.add_to_conftest(CLIENTS)
    for system in KINDS:
        project.scenario(_flow(system, "read: k", "read: k"), system)
    verbs = _flow("httpx", "fetch: k", "store: {key: k, value: 2}")
    project.scenario(verbs.replace("id: httpx", "id: verbs"), "verbs")
    project.scenario(_flow("wrapped", "read: k", "write: {key: k, value: 2}"), "wrapped")
    result = project.run()
    result.assert_outcomes(failed=len(KINDS), passed=2)
    for system, kind in KINDS.items():
        refused = f"*'read' calls get of system '{system}', which is an HTTP client*"
        result.stdout.fnmatch_lines_random([refused])
        assert kind in result.stdout.str()
    assert "VIOLATED" not in result.stdout.str()
    rows = project.rows()
    assert [rows[name]["verdict"] for name in ("verbs[httpx]", "wrapped[wrapped]")] == ["holds"] * 2
