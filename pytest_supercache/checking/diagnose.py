"""Gives a confirmed counterexample its class, cause, explanation and fingerprint."""

from collections.abc import Callable
from dataclasses import replace
from inspect import unwrap
from typing import Any

from pytest_supercache.checking.reduction_check import ReductionCheck
from pytest_supercache.core.execution import Execution
from pytest_supercache.core.result import Counterexample
from pytest_supercache.core.verdict import Label
from pytest_supercache.declare.registry import REGISTRY
from pytest_supercache.oracle.anomalies import anomalies, borne_out
from pytest_supercache.oracle.cause import Causes, find_causes, tried
from pytest_supercache.oracle.classify import (
    UNCLASSIFIED,
    Classified,
    former_classes,
    keys_of,
    most_telling,
)
from pytest_supercache.oracle.explain import advice, cause_sentences, class_sentence
from pytest_supercache.oracle.fingerprint import (
    ConflictPlace,
    fingerprint_of,
    former_fingerprints_of,
)
from pytest_supercache.oracle.nearest import nearest
from pytest_supercache.oracle.story import story, story_sentence
from pytest_supercache.runtime.kernel.functions_under_test import raised
from pytest_supercache.search.events import orders_of


def place_of_conflict(flow: str, system: str, body: Callable[..., Any]) -> ConflictPlace:
    """Return the flow and the system of a conflict, and which functions there are test code."""
    verbs = frozenset(_name_of(verb.function) for verb in REGISTRY.verbs.values())
    module = getattr(unwrap(body), "__module__", "")
    return ConflictPlace(flow=flow, system=system, body=_name_of(body), module=module, verbs=verbs)


def diagnosed(
    found: Counterexample,
    label: Label | None,
    reduction_check: ReductionCheck | None,
    *,
    exhausted: bool,
    of: ConflictPlace,
) -> Counterexample:
    """Add class, cause and explanation to a counterexample, from what the search has seen."""
    execution = found.execution
    violations = found.violations or (found.violation,)
    violation, classified = most_telling(execution, violations)
    causes: Causes | None = None
    others = None
    forced: list[str] = []
    is_settled = False
    if reduction_check is not None and not found.serial:
        evidence = reduction_check.evidence
        witness = orders_of(reduction_check.events_of(execution))
        causes = find_causes(evidence, witness)
        others = tried(evidence, witness, exhausted=exhausted)
        forced = cause_sentences(
            causes, execution.race, executed=evidence.size, exhausted=exhausted
        )
        is_settled = causes.is_complete and exhausted
        if is_settled:
            known = borne_out(execution, classified, evidence, causes)
            classified = known or Classified(slug=UNCLASSIFIED)
    lines = [class_sentence(classified.slug)]
    if classified.slug == UNCLASSIFIED:
        lines.append(nearest(execution, violation, keys_of(execution, violation)))
    told = story(execution, violation, classified)
    lines += [story_sentence(told)] if told else []
    lines += [*forced, *advice(classified.slug)]
    error = found.violation.evidence.get("error")
    where = replace(of, raised=raised(error)) if isinstance(error, BaseException) else of
    given = (execution, found.violation, label, classified, where)
    former = [
        fingerprint_of(execution, found.violation, label, other, where)
        for other in former_classes(execution, violations, classified)
    ]
    return replace(
        found,
        conflict_class=classified.slug,
        possible_classes=frozenset() if is_settled else _others_like(execution, classified),
        explanation="\n".join(lines),
        story=told,
        fingerprint=fingerprint_of(*given),
        former_fingerprints=(*former, *former_fingerprints_of(*given)),
        causes=() if causes is None else causes.sets,
        causes_are_all=causes is not None and causes.is_complete and exhausted,
        tried=others,
    )


def _others_like(execution: Execution, classified: Classified) -> frozenset[str]:
    """Return what an anomaly of rows may be instead, as long as it is not known what is forced."""
    found = {one.slug for one in anomalies(execution)}
    is_one = classified.slug in found
    return frozenset({UNCLASSIFIED, *found} - {classified.slug}) if is_one else frozenset()


def _name_of(function: Callable[..., Any]) -> str:
    """Return a function's name in its frames; decorators that set ``__wrapped__`` are skipped."""
    written = unwrap(function)
    return f"{getattr(written, '__module__', '')}.{getattr(written, '__qualname__', '')}"
