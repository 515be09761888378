"""Reads how to simulate traffic: ``--supercache-odds=N`` and ``[tool.supercache.traffic]``."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.masking import quoted
from pytest_supercache.core.odds import RUNS, Latencies, Latency, Simulation
from pytest_supercache.scenario.durations import HINT, parse_seconds

NAMES = tuple(field.name for field in fields(Latencies))


def simulation(runs: int | None, table: Mapping[str, Any]) -> Simulation:
    """Return the settings of the simulation.

    Args:
        runs: how many runs; None: the default number, or fewer once the odds are precise enough.
        table: ``within`` and a latency by its name, each ``{median = "1ms", p99 = "20ms"}``.

    Raises:
        SupercacheError: a name or a duration is wrong.
    """
    usual = Simulation(runs=RUNS if runs is None else runs, ends_when_known=runs is None)
    if not isinstance(table, Mapping):
        raise SupercacheError(f"[tool.supercache] traffic = {quoted(table)}: expected a table")
    unknown = sorted(set(table) - {*NAMES, "within"})
    if unknown:
        raise SupercacheError(
            f"[tool.supercache.traffic] has unknown names: {', '.join(unknown)}. Expected "
            f"within, {', '.join(NAMES)}."
        )
    given = {name: _latency(name, table[name]) for name in NAMES if name in table}
    named = {name: getattr(usual.latencies, name) for name in NAMES}
    return replace(
        usual,
        within=_seconds("within", table["within"]) if "within" in table else usual.within,
        latencies=Latencies(**{**named, **given}),
    )


def _latency(name: str, given: object) -> Latency:
    if not isinstance(given, Mapping) or set(given) != {"median", "p99"}:
        raise SupercacheError(
            f"[tool.supercache.traffic] {name} = {quoted(given)}: expected "
            '{median = "1ms", p99 = "20ms"}'
        )
    try:
        return Latency(*(_seconds(f"{name}.{which}", given[which]) for which in ("median", "p99")))
    except SupercacheError as error:
        raise SupercacheError(f"[tool.supercache.traffic] {name}: {error}") from error


def _seconds(name: str, given: object) -> float:
    seconds = parse_seconds(given)
    if seconds is None:
        raise SupercacheError(f"[tool.supercache.traffic] {name} = {quoted(given)}: {HINT}")
    return seconds
