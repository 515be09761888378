"""Systems that work in the background: found by a scenario, replayed, and silent when fixed."""

import threading

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.selection import few

pytestmark = pytest.mark.python

BACKGROUND = '''
import queue
import threading
from concurrent.futures import ThreadPoolExecutor

class Worker(Shop):
    """Fills the cache in a thread; `careful`, it reads and fills while nobody writes."""

    def __init__(self, layers, careful):
        super().__init__(layers.existing_cache.client(), layers.origin)
        self.jobs, self.lock, self.careful = queue.Queue(), threading.Lock(), careful
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self):
        while (key := self.jobs.get()) is not None:
            self._fill(key)

    def _fill(self, key):
        if self.careful:
            with self.lock:
                self.redis.set(key, json.dumps(self.db.get(key)))
        else:
            self.redis.set(key, json.dumps(self.db.get(key)))

    def get(self, key):
        found = self.redis.get(key)
        if found is None:
            self.jobs.put(key)
            return self.db.get(key)
        return json.loads(found)

    def set(self, key, value):
        with self.lock:
            super().set(key, value)

    def close(self):
        self.jobs.put(None)
        self.thread.join()

class Pooled(Worker):
    """The same in a pool."""

    def __init__(self, layers, careful):
        Shop.__init__(self, layers.existing_cache.client(), layers.origin)
        self.lock, self.careful = threading.Lock(), careful
        self.jobs, self.pool = self, ThreadPoolExecutor(2)

    def put(self, key):
        self.pool.submit(self._fill, key)

    def close(self):
        self.pool.shutdown()

class Timed(Shop):
    """Deletes a second time when slow readers are thought to be done."""

    def __init__(self, layers, careful):
        super().__init__(layers.existing_cache.client(), layers.origin)

    def set(self, key, value):
        super().set(key, value)
        threading.Timer(0.5, self.redis.delete, [key]).start()

    def close(self):
        pass

def register(kind, careful):
    @sc.system(f"{'careful' if careful else 'naive'}.{kind.__name__.lower()}")
    def build(layers):
        system = kind(layers, careful)
        yield system
        system.close()

for kind in (Worker, Pooled, Timed):
    for careful in (False, True):
        register(kind, careful)
'''


@pytest.mark.parametrize("kind", few(["worker", "pooled", "timed"], 1))
def test_work_in_the_background_is_raced_and_the_fixed_system_holds(
    project: Project, kind: str
) -> None:
    project.add_to_conftest(BACKGROUND)
    holds = "{holds: {assume: {pause: 400ms}}}" if kind == "timed" else "holds"
    stated = f"systems: {{naive.{kind}: violated, careful.{kind}: {holds}}}"
    project.scenario(race("B-1").replace("system: shop", stated))
    before = threading.active_count()
    project.run().assert_outcomes(passed=2)
    assert threading.active_count() == before
    found = project.rows()[f"B-1[naive.{kind}]"]["counterexample"]
    assert found["replays"] == "10/10"
    if kind != "timed":
        assert "/1" in found["token"]
        return
    project.scenario(race("B-2", "naive.timed"))
    project.run().assert_outcomes(failed=1)
    result = project.run_apart(f"--supercache-replay={project.token()}")
    result.stdout.fnmatch_lines(["*VIOLATED*"])
