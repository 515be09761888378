"""redis-py with its client-side cache, unmodified, on a server that tells of changes (RESP3)."""

from types import SimpleNamespace

import redis

import pytest_supercache as sc


def _client(layers):
    """Make a client that caches on its side, and hides nothing behind a timeout or a retry."""
    from redis.backoff import NoBackoff
    from redis.cache import CacheConfig
    from redis.retry import Retry

    return redis.Redis.from_url(
        layers.existing_cache.url, protocol=3, cache_config=CacheConfig(), decode_responses=True,
        socket_timeout=None, retry=Retry(NoBackoff(), 0),
    )  # fmt: skip


@sc.system("redis.pipeline_5_2", backend="redis-server")
@sc.system("redis.drain_7_4", backend="redis-server")
@sc.system("redis.reader_8", backend="redis-server")
def caching_client(layers):
    """Users of one node share the caching client; another client writes what they read."""
    plain = layers.existing_cache.client(decode_responses=True)
    client = _client(layers)
    return SimpleNamespace(client=client, get=client.get, set=plain.set, delete=plain.delete)


@sc.verb("read_in_pipeline", observes=lambda answer, key: {key: answer})
def read_in_pipeline(system, _user, key):
    """Read a key with others in one go, as it were."""
    with system.client.pipeline(transaction=False) as pipeline:
        pipeline.get(key)
        return pipeline.execute()[0]


@sc.verb("count_up")
def count_up(system, _user, key):
    """Add one to a number, optimistically: the connection is ours from WATCH to EXEC."""
    with system.client.pipeline() as pipeline:
        pipeline.watch(key)
        number = int(pipeline.get(key) or 0)
        pipeline.multi()
        pipeline.set(key, number + 1)
        pipeline.execute()
        return number + 1
