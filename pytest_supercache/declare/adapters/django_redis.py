"""django-redis: its connection pools. Its commands are steps of redis-py.

The package is not looked into: which pool a cache has found is seen by no user, since two pools of
one URL lead to the same server.
"""

from pytest_supercache.declare.registry import Watch

WATCHES: list[Watch] = []

STATE = ["django_redis.pool:ConnectionFactory._pools"]
