"""`supercache new`: makes a runnable scenario file from a template or a recording."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pytest_supercache.cli.project import Project, ProjectError, describe
from pytest_supercache.cli.show import own_systems, schema_text
from pytest_supercache.cli.starting.start import FRAMEWORKS, start
from pytest_supercache.cli.templates import (
    DEFAULT,
    TEMPLATES,
    is_about_one_key,
    verbs_to_bind,
    written,
)
from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.misspelt import nearest_word
from pytest_supercache.oracle.catalogue import CATALOGUE
from pytest_supercache.oracle.linear.call import Model
from pytest_supercache.oracle.linear.formats import FORMATS
from pytest_supercache.report.values import clean
from pytest_supercache.scenario.names import SUFFIX, is_scenario_file, stem_of

_SCHEMA = "scenario.schema.json"
_KEY = "product:42"


class _ClassName(click.Choice[str]):
    """The name of a conflict class; a misspelt one is answered with the nearest."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return a known name as it is."""
        if value not in self.choices:
            near = nearest_word(str(value), self.choices)
            meant = f"did you mean {near!r}?" if near else "`supercache new --help` lists them."
            self.fail(f"{value!r:.80} is no conflict class; {meant}", param, ctx)
        return str(value)


_history = click.option(
    "--from-history",
    "recording",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draft it from a recording instead: the calls that have no order, if there are some.",
)
_model = click.option(
    "--model",
    type=click.Choice([model.value for model in Model]),
    default=Model.REGISTER.value,
    help="What was recorded (default: register); see `supercache check-history`.",
)
_format = click.option(
    "--format",
    "format_",
    type=click.Choice(sorted(FORMATS)),
    default="jsonl",
    help="How it was recorded (default: jsonl).",
)


def _classes() -> str:
    """Return a list of the classes by their symptoms: a user seldom knows a conflict's name."""
    rows = (f"  {slug:30}{known.symptom}" for slug, known in CATALOGUE.items() if slug in TEMPLATES)
    return "\b\nClasses, and what users notice (docs/conflicts.md says more):\n" + "\n".join(rows)


def _recorded(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options for a recording to a command."""
    return _history(_model(_format(command)))


@click.command(epilog=_classes())
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option(
    "--app",
    type=click.Choice(FRAMEWORKS),
    help="Write a conftest and a first scenario for the application in PATH, or in this folder.",
)
@click.option(
    "--class",
    "conflict",
    type=_ClassName(TEMPLATES),
    default=DEFAULT,
    metavar="NAME",
    help=f"Which conflict the flow may show (default: {DEFAULT}); they are listed below.",
)
@click.option("--id", "scenario_id", help="The scenario's id; made from the file's name if unsaid.")
@click.option("--system", help="The system under test; the project's own one if there is one.")
@click.option("--key", help=f"The key that the users fight over (default: {_KEY}).")
@_recorded
@click.pass_context
def new(
    context: click.Context,
    path: Path | None,
    app: str | None,
    conflict: str,
    scenario_id: str | None,
    system: str | None,
    key: str | None,
    recording: Path | None,
    model: str,
    format_: str,
) -> None:
    """Write a new scenario file from a template or a recording. It asks nothing.

    PATH may leave `.supercache.yaml` out; with --app it is the folder of an application. The file
    names the schema for editors, which is written to the project's root unless it is there.

    \b
      supercache new scenarios/price-change
      supercache new scenarios/deleted --class resurrection --id SHOP-3 --system shop
      supercache new scenarios/incident --from-history trace.jsonl
      supercache new --app flask

    Then run it: pytest scenarios/price-change.supercache.yaml
    """
    if app is not None:
        start(app, _folder(context, path))
        return
    if path is None:
        raise click.UsageError("Missing argument 'PATH'.")
    path = path if is_scenario_file(path.name) else path.with_name(path.name + SUFFIX)
    if path.exists():
        raise click.UsageError(f"{path} is there already; choose another name")
    key = _named(key, conflict, is_recorded=recording is not None)
    project = _project()
    schema = project.root / _SCHEMA
    beside = Path(os.path.relpath(schema, path.resolve().parent))
    scenario_id = scenario_id or _id_of(path, project)
    system = _system(system, project)
    if recording is not None:
        text = _drafted(recording, Model(model), format_, scenario_id, system, beside)
    else:
        text = written(conflict, scenario_id=scenario_id, system=system, key=key, schema=beside)
    _write(path, text, schema, project)


def _write(path: Path, text: str, schema: Path, project: Project) -> None:
    """Write a scenario, and the schema unless it is there; say what is to be done next."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    click.echo(f"written: {path}")
    if not schema.exists():
        schema.write_text(schema_text(project.vocabulary), encoding="utf-8")
        click.echo(f"written: {schema} (for editors; `supercache schema -o {_SCHEMA}` renews it)")
    for verb in verbs_to_bind(text):
        if verb not in project.vocabulary.verbs:
            click.echo(
                f"note: bind the verb {verb!r} in conftest.py; the file's end shows how", err=True
            )
    click.echo(f"run it:  pytest {path}")


def _folder(context: click.Context, path: Path | None) -> Path:
    """Return the folder of an application; what else could be said is found in it."""
    given = click.core.ParameterSource.COMMANDLINE
    for parameter in context.command.params:
        name = str(parameter.name)
        if name not in {"app", "path"} and context.get_parameter_source(name) is given:
            raise click.UsageError(f"{parameter.opts[0]} is of no use with --app; leave it out")
    if path is not None and not path.is_dir():
        raise click.UsageError(f"{path} is no folder: with --app, name the one of the application")
    return path or Path()


def _named(key: str | None, conflict: str, *, is_recorded: bool) -> str:
    """Return the key of a new file."""
    if key is None:
        return _KEY
    if is_recorded:
        raise click.UsageError("--key: a draft has the keys of its recording; leave it out")
    if not is_about_one_key(conflict):
        raise click.UsageError(
            f"--key: {conflict} is about several keys; leave it out and change them in the file"
        )
    if not re.fullmatch(r"[A-Za-z0-9_.:/-]+", key) or key.endswith(":"):
        raise click.UsageError(f"--key {key!r}: write a key without blanks, as {_KEY}")
    return key


def _drafted(
    recording: Path, model: Model, format_: str, scenario_id: str, system: str, schema: Path
) -> str:
    from pytest_supercache.cli.drafting import draft

    try:
        return draft(
            recording, model, format_, scenario_id=scenario_id, system=system, schema=schema
        )
    except SupercacheError as error:
        raise click.UsageError(clean(str(error))) from error


def _project() -> Project:
    from pytest_supercache.play.vocabulary import built_in_words

    try:
        return describe()
    except ProjectError as error:
        click.echo(f"{error.message}\n\nGoing on without the project's own words.", err=True)
        return Project(root=Path.cwd(), vocabulary=built_in_words(), files=())


def _system(named: str | None, project: Project) -> str:
    known = own_systems(project)
    if named is not None:
        if named not in project.vocabulary.systems:
            click.echo(f"note: {named!r} is not registered yet: @sc.system({named!r})", err=True)
        return named
    if len(known) > 1:
        click.echo(f"note: systems here are {', '.join(known)}; took the first", err=True)
    if not known:
        click.echo("note: no system is registered in conftest.py; took the reference one", err=True)
    return known[0] if known else "reference.naive"


def _id_of(path: Path, project: Project) -> str:
    """Return an id, made from the file's name, that no other file has."""
    stem = stem_of(path.name)
    word = re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-").upper() or "NEW"
    taken = {file.get("id") for file in project.files}
    numbered = (f"{word}-{number}" for number in range(2, len(taken) + 3))
    return word if word not in taken else next(name for name in numbered if name not in taken)
