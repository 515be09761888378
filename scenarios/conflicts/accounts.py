"""Two balances whose sum is fixed: as two entries, as one, or as two that carry one version."""

import json

import pytest_supercache as sc
from pytest_supercache.layers.stack import NodeLayers

PAIR = "account:1+account:2"


class TwoEntries:
    """An entry for each balance."""

    def __init__(self, layers: NodeLayers) -> None:
        self.far = layers.existing_cache.client(decode_responses=True)
        self.origin = layers.origin

    def move(self, balances: dict[str, int]) -> None:
        """Change both balances in one transaction, then store them."""
        with self.origin.transaction() as transaction:
            for key, value in balances.items():
                transaction.set(key, value)
        self.store(balances)

    def store(self, balances: dict[str, int]) -> None:
        """Store an entry for each."""
        for key, value in balances.items():
            self.far.set(key, value)

    def look(self, keys: list[str]) -> dict[str, int]:
        """Look the balances up, one after the other."""
        return {key: self._balance(key, self.far.get(key)) for key in keys}

    def _balance(self, key: str, text: str | None) -> int:
        return self.origin.get(key) if text is None else int(text)


class OneEntry(TwoEntries):
    """Both balances are one entry."""

    def store(self, balances: dict[str, int]) -> None:
        """Store them together."""
        self.far.set(PAIR, json.dumps(balances))

    def look(self, keys: list[str]) -> dict[str, int]:
        """Look them up together."""
        text = self.far.get(PAIR)
        found = json.loads(text) if text is not None else {}
        return {key: found[key] for key in keys} if found else {}


class OneCommand(TwoEntries):
    """Two entries that are stored and looked up in one command each."""

    def store(self, balances: dict[str, int]) -> None:
        """Store both at once."""
        self.far.mset(balances)

    def look(self, keys: list[str]) -> dict[str, int]:
        """Look both up at once."""
        found = self.far.mget(keys)
        return {key: int(text) for key, text in zip(keys, found, strict=True) if text is not None}


sc.system("accounts.naive")(TwoEntries)
sc.system("accounts.aggregate")(OneEntry)
sc.system("accounts.atomic")(OneCommand)


@sc.verb("transfer", writes=lambda balances: balances)
def transfer(system, _user, balances: dict):
    """Change the balances of two accounts together."""
    system.move(balances)


@sc.verb("statement", observes=lambda answer, keys: answer)
def statement(system, _user, keys: list):
    """Show the balances of two accounts."""
    return system.look(keys)
