"""Runs one item: explores it, compares the verdict with the stated one, and reports."""

import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_supercache.core.errors import ReplayDivergedError
from pytest_supercache.core.masking import masked_id
from pytest_supercache.core.result import CheckResult
from pytest_supercache.core.schedule import read_token
from pytest_supercache.core.verdict import Verdict
from pytest_supercache.plugin.allure_results import show
from pytest_supercache.plugin.cluster import DISPATCHED
from pytest_supercache.plugin.findings import FINDING, failure_like, is_at_least_as_bad
from pytest_supercache.plugin.flow import Flow, flow_of_item, flow_of_test
from pytest_supercache.plugin.items import is_given
from pytest_supercache.plugin.progress import progressing
from pytest_supercache.plugin.recorded import REPLAYED, attempted, recorded_of
from pytest_supercache.plugin.session import Session
from pytest_supercache.plugin.surroundings import later_judges
from pytest_supercache.plugin.terminal import whole_text
from pytest_supercache.plugin.with_django import has_database_on_a_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_supercache.checking.workers import Dispatch
    from pytest_supercache.core.schedule import Schedule
    from pytest_supercache.core.settings import Exploration
    from pytest_supercache.oracle.guarantee import Guarantee
    from pytest_supercache.plugin.debugging import Breakpoint
    from pytest_supercache.report.finding import Finding
    from pytest_supercache.scenario.scenario import Scenario, ScenarioItem, Stated
    from pytest_supercache.world.world import World


EXAMPLES: pytest.StashKey[int] = pytest.StashKey()
"""The number of examples of ``@given`` that a test has tried."""


class ItemRunner:
    """Runs items with the session's server and options."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def play(self, item: "ScenarioItem", node: pytest.Item) -> None:
        """Explore a scenario item and raise unless its verdict is the stated one.

        Raises:
            NotAsExpected: with the full report as its text.
            SupercacheError: an option or a declaration is wrong.
        """
        from pytest_supercache.report.finding import Finding
        from pytest_supercache.scenario.prose import explain

        scenario = item.scenario
        told = self._session.searched_ahead(node)
        result = attempted(node, lambda: self.search(node, item, told=told))
        if result.counterexample is not None and _replay(node) is None:
            result = self._saved(node, item, result)
        result = replace(result, notes=(*result.notes, *_warnings(item)))
        # A replay shows what one schedule does; whether that is documented does not matter then.
        stated = None if _replay(node) else item.system.stated
        is_kept = recorded_of(node) is not None
        self._report(
            node,
            Finding(
                item=_row_name(node, item.name),
                title=scenario.title,
                story=scenario.story,
                words=explain(scenario),
                node_id=masked_id(node.nodeid),
                **_place(node, scenario),
                system="" if is_kept else item.system.name,
                stated=stated.verdict.value if stated else None,
                stated_class=stated.conflict_class if stated else None,
                stated_label=stated.label if stated else None,
                as_stated=is_as_stated(result, stated),
                replay_command=_replay_command(node, scenario.path, result),
                severity=scenario.severity,
                owner=scenario.owner,
                tags=scenario.tags,
                links=scenario.links,
                flow=self._flow(node, partial(flow_of_item, item, self.settings_of(item), node)),
                result=result,
            ),
        )

    def search(
        self,
        node: pytest.Item,
        item: "ScenarioItem",
        told: CheckResult | None = None,
        **limits: Any,
    ) -> CheckResult:
        """Check a scenario item, within tighter limits than its own if need be.

        If a worker has searched already, ``told`` is its result: only record it.
        """
        if told is not None and told.counterexample is None:
            return told
        from pytest_supercache.declare.registry import REGISTRY
        from pytest_supercache.oracle.judge import DEFAULT, NAMED
        from pytest_supercache.play import Play

        scenario = item.scenario
        system = REGISTRY.systems[item.system.name]
        play = Play(item, system, REGISTRY.verbs)
        settings = self.settings_of(item)
        tighter = {name: min(limit, getattr(settings, name)) for name, limit in limits.items()}
        if limits:
            settings = _without_odds(settings)  # of a smaller flow, on the way
        guarantees: tuple[Guarantee, ...] = DEFAULT
        if scenario.guarantees is not None:
            guarantees = tuple(NAMED[s.name](**s.parameters) for s in scenario.guarantees)
        return self._check(
            node,
            play.body,
            replace(settings, **tighter),
            guarantees=guarantees,
            given=item.given,
            state=system.state,
            clients=system.redis,
            isolate=system.isolate,
            item=item.name,
            system=system.name,
            own_checks="what its steps expect" if scenario.expects else "",
            preflight=play.look_ahead,
            backend=system.backend,
            told=told,
        )

    def settings_of(self, item: "ScenarioItem") -> "Exploration":
        """Return the search settings of an item: its file's, overridden by the command line."""
        from pytest_supercache.core.fault import Faults

        spec = item.scenario.faults
        faults = None if spec is None else Faults(max=spec.max, kinds=spec.kinds)
        own = {**item.scenario.explore, "assume": item.assume, "faults": faults}
        return self._session.options.exploration(own)

    def _flow(self, node: pytest.Item, make: "Callable[..., Flow | None]") -> Flow | None:
        """Return the flow for a reproducer; a replay or a reproducer gets none."""
        if _replay(node) is not None or recorded_of(node) is not None:
            return None
        return make(self._session.options.watched, self._session.run_folder.shown)

    def _saved(self, node: pytest.Item, item: "ScenarioItem", result: CheckResult) -> CheckResult:
        """With ``--supercache-save``, save the conflict as a scenario, and note its path."""
        name = self._session.options.value("save")
        if name is None:
            return result
        from pytest_supercache.plugin.saving import EXECUTIONS_MAX, SECONDS_MAX, Saver
        from pytest_supercache.plugin.vocabulary import vocabulary

        def check(smaller: "ScenarioItem") -> CheckResult:
            return self.search(node, smaller, executions=EXECUTIONS_MAX, time=SECONDS_MAX)

        folder = node.config.invocation_params.dir / name
        path = Saver(vocabulary(), check).save(item, result, folder, Path(name))
        said = f"saved as {path}" if path else "not saved: a new check did not find it again"
        return replace(result, notes=(*result.notes, said))

    def explore(
        self,
        body: "Callable[[World], Any]",
        node: pytest.Item,
        own: dict[str, Any],
        guarantees: "Iterable[Guarantee]",
        *,
        reject_example: "Callable[[CheckResult], None]",
        reproduce: tuple[str, bytes] | None = None,
    ) -> None:
        """Explore a Python test and raise unless it holds.

        Args:
            body: the function that runs once per interleaving.
            node: its test.
            own: the options of its decorator.
            guarantees: what must hold besides the body's own asserts.
            reject_example: raises if the body has rejected the example of ``@given``.
            reproduce: the arguments of ``@reproduce_failure``.

        Raises:
            NotAsExpected: it does not hold, or the search was undecided.
            SupercacheError: an option is wrong, or the body misuses its world.
        """
        from pytest_supercache.report.finding import Finding

        settings, guarantees = self._session.options.exploration(own), tuple(guarantees)
        if is_given(node):
            settings = _without_odds(settings)  # each example would be simulated
        if reproduce is not None:
            settings = replace(settings, search="hypothesis")
        result = attempted(
            node,
            lambda: self._check(
                node,
                body,
                settings,
                guarantees=guarantees,
                item=node.nodeid,
                reproduce=reproduce,
            ),
        )
        reject_example(result)
        result = self._told_of_test(node, result, is_reproduced=reproduce is not None)
        self._report(
            node,
            Finding(
                item=_row_name(node, node.name),
                title=_first_line(node),
                story="",
                node_id=masked_id(node.nodeid),
                **_place(node),
                system="",
                stated=None,
                as_stated=result.verdict is Verdict.HOLDS,
                replay_command=_replay_command(node, node.nodeid.partition("::")[0], result),
                severity=None,
                owner=None,
                tags=(),
                links={},
                flow=self._flow(node, partial(flow_of_test, node, settings, guarantees, body)),
                result=result,
            ),
        )

    def _told_of_test(
        self, node: pytest.Item, result: CheckResult, *, is_reproduced: bool
    ) -> CheckResult:
        """Add the notes that only Python tests have to a result."""
        if is_given(node):
            result = _as_example(node, result)
        elif result.reproduce and not is_reproduced:
            result = _with_note(
                result, f"to try this schedule only, put {result.reproduce} on the test"
            )
        if result.counterexample is not None and self._session.options.value("save"):
            said = "not saved: a Python test cannot be written as a scenario; keep its token"
            result = _with_note(result, said)
        return result

    def _check(
        self,
        node: pytest.Item,
        body: "Callable[[World], Any]",
        settings: "Exploration",
        *,
        backend: str | None = None,
        told: CheckResult | None = None,
        **own: Any,
    ) -> CheckResult:
        """Check a body with the run's options; a replay that no longer fits leaves it undecided."""
        from pytest_supercache.checking.check import check_on
        from pytest_supercache.checking.environment import Observers
        from pytest_supercache.checking.workers import in_process

        dispatch = self._dispatch(node)
        progress = progressing(node.config, str(own["item"]))
        stop = _breakpoint(node)
        if stop is not None:
            from pytest_supercache.plugin.debugging import PATIENCE

            settings = replace(settings, step_timeout=PATIENCE)
        try:
            result = check_on(
                self._session.server_for(backend),
                body,
                settings,
                replay=_replay(node) if told is None else told,
                hypothesis_seed=self._session.hypothesis_seed,
                on=dispatch,
                observers=Observers(stop, progress, later_judges(node)),
                **own,
            )
        except ReplayDivergedError as error:
            return CheckResult(verdict=Verdict.UNKNOWN, reasons=(str(error),))
        finally:
            if progress is not None:
                progress.clear()
        if stop is not None and stop.has_quit:
            pytest.exit("the debugger was left")
        if stop is not None and stop.complaint is not None:
            result = _with_note(result, stop.complaint)
        if dispatch is in_process:
            result = self._with_lack_of_help(node, result)
        if result.statistics:
            shown: Any = node
            shown.hypothesis_statistics = result.statistics  # printed by the plugin of Hypothesis
        return result

    def _dispatch(self, node: pytest.Item) -> "Dispatch":
        """Return what opens the processes that help with an item."""
        from pytest_supercache.checking.workers import forked, in_process
        from pytest_supercache.plugin.storing import kept

        if self._only_here(node) is not None:
            return in_process
        serving = node.config.stash.get(DISPATCHED, None)
        if serving is not None:
            return serving
        workers, store = self._session.options.value("workers") or 1, self._session.store
        if self._session.cluster is not None:
            dispatch: Dispatch = partial(self._session.cluster.dispatch, node)
        elif workers > 1 or store is not None:
            dispatch = forked(workers)
        else:
            return in_process
        return dispatch if store is None else kept(dispatch, store)

    def _only_here(self, node: pytest.Item) -> str | None:
        """Return why only this process may search an item; None: others may help."""
        if is_given(node):  # an example is rejected only if every execution rejects it
            return "all examples of @given are searched in one process"
        judge = next(iter(later_judges(node).values()), None)
        if judge is not None:
            return f"{judge} may look at what the item leaves behind in its process"
        forks = self._session.cluster is None and DISPATCHED not in node.config.stash
        if forks and has_database_on_a_server(node):
            return "forks cannot copy its databases of Django, which are on a server"
        return None

    def _with_lack_of_help(self, node: pytest.Item, result: CheckResult) -> CheckResult:
        """Note for each option that could help an undecided item to an end why it does not."""
        if result.verdict is not Verdict.UNKNOWN:
            return result
        session = self._session
        options = {
            "--supercache-workers": (session.options.value("workers") or 1) > 1,
            "--supercache-cluster": session.cluster is not None,
            "--supercache-store": session.store is not None,
        }
        for option, is_on in options.items():
            if is_on:
                said = f"{option} does not help with this item: {self._only_here(node)}"
                result = _with_note(result, said)
        return result

    def _report(self, node: pytest.Item, finding: "Finding") -> None:
        """Attach the finding to its item, then pass or fail the item."""
        from pytest_supercache.report.junit import properties
        from pytest_supercache.report.text import line_of_text
        from pytest_supercache.report.verdict_json import finding_row

        result = finding.result
        row = finding_row(finding)
        row["line_of_text"] = line_of_text(finding)
        if result.counterexample is not None and finding.as_stated:
            row["picture"] = whole_text(node.config, finding)
        before = node.stash.get(FINDING, None) or row  # of another example of @given
        if is_at_least_as_bad(row, before):
            node.stash[FINDING] = row
            node.user_properties[:] = (dict(node.user_properties) | dict(properties(row))).items()
            session = self._session
            show(node, finding, row, session.run_folder.shown, session.options.link_patterns)
        if not finding.as_stated:
            raise failure_like(result)(whole_text(node.config, finding))


def _first_line(node: pytest.Item) -> str:
    """Return the first line of a test's docstring, or its name."""
    said: str = (getattr(node, "obj", None).__doc__ or masked_id(node.name)).strip()
    return said.partition("\n")[0]


def _without_odds(settings: "Exploration") -> "Exploration":
    from pytest_supercache.core.odds import Simulation

    return replace(settings, odds=Simulation())


def _as_example(node: pytest.Item, result: CheckResult) -> CheckResult:
    """Note which example of ``@given`` a result is about; a replay rejects those that hold."""
    if _replay(node) and result.verdict is not Verdict.VIOLATED:
        from pytest_supercache.search.generated import reject_example

        reject_example()
    node.stash[EXAMPLES] = count = node.stash.get(EXAMPLES, 0) + 1
    result = replace(result, scope={**result.scope, "examples": count})
    return _with_note(result, f"this is about example {count} of @given")


def _with_note(result: CheckResult, note: str) -> CheckResult:
    return replace(result, notes=(*result.notes, note))


def _warnings(item: "ScenarioItem") -> list[str]:
    """Return the warnings about the item's file; for its first item only."""
    from pytest_supercache.scenario.scenario import items

    if items(item.scenario)[0].name != item.name:
        return []
    return [
        f"{warning.path}:{warning.line}: {warning.message}; {warning.hint}"
        for warning in item.scenario.warnings
    ]


def is_as_stated(result: CheckResult, stated: "Stated | None") -> bool:
    """Say whether a verdict is the stated one; an unknown class or label never is."""
    from pytest_supercache.oracle.catalogue import fits

    if stated is None:
        return result.verdict is Verdict.HOLDS
    found = result.counterexample
    is_named = stated.conflict_class is None or found is None
    if found is not None and not is_named:
        named = {str(found.conflict_class), *found.possible_classes}
        is_named = any(fits(one, str(stated.conflict_class)) for one in named)
    is_labelled = stated.label in {None, result.label and result.label.value}
    return is_named and is_labelled and result.verdict is stated.verdict


def _breakpoint(node: pytest.Item) -> "Breakpoint | None":
    wanted = node.config.getoption("supercache_break")
    if wanted is None or _replay(node) is None:
        return None
    from pytest_supercache.plugin.debugging import Breakpoint

    return Breakpoint(str(wanted).strip(), node.config)


def _replay(node: pytest.Item) -> "Schedule | None":
    if REPLAYED in node.stash:
        return node.stash[REPLAYED]
    token = node.config.getoption("supercache_replay")
    return read_token(token)[1] if token else None


def _place(node: pytest.Item, scenario: "Scenario | None" = None) -> dict[str, Any]:
    """Return the place of an item in its source file, and the root of the project."""
    root = node.config.rootpath
    if scenario is not None and recorded_of(node) is None:
        return {"path": scenario.path, "line": scenario.where.line, "root": root}
    path, line, _ = node.location
    return {"path": path, "line": (line or 0) + 1, "root": root}


def _row_name(node: pytest.Item, name: str) -> str:
    """Return the id of an item in reports; a reproducer has an id of its own."""
    return masked_id(node.nodeid if recorded_of(node) is not None else name)


def _replay_command(node: pytest.Item, path: str, result: CheckResult) -> str:
    if result.counterexample is None:
        return ""
    if recorded_of(node) is not None:
        return f"pytest {shlex.quote(node.location[0])}"
    token = result.counterexample.token
    return f"pytest {shlex.quote(path)} --supercache-replay={shlex.quote(token)}"
