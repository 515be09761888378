"""An executor of a Dask client in this process is refused."""

from concurrent.futures import Executor
from types import SimpleNamespace

import pytest

from pytest_supercache.checking.workers import sent_to
from pytest_supercache.core.errors import SupercacheError


class ClientExecutor(Executor):
    _client = SimpleNamespace(scheduler=SimpleNamespace(address="tcp://10.0.0.7:8786"))


def test_the_executor_of_a_client_is_refused(monkeypatch):
    monkeypatch.setattr(ClientExecutor, "__module__", "distributed.cfexecutor")
    with pytest.raises(SupercacheError, match=r"DaskExecutor\('dask://tcp://10.0.0.7:8786'\)"):
        sent_to(ClientExecutor())
