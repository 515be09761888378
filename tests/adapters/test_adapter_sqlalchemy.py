"""SQLAlchemy on SQLite: its statements and commits are those of the driver; it adds no steps."""

import pytest
from sqlalchemy import create_engine, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.orm.exc import StaleDataError

from tests.adapters.flows import counting, is_conflict


class Base(DeclarativeBase):
    pass


class Counter(Base):
    __tablename__ = "counters"
    name: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(default=0)


class VersionedCounter(Base):
    __tablename__ = "versioned_counters"
    name: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - as SQLAlchemy documents it


def made(world):
    engine = create_engine(f"sqlite:///{world.tmp_path}/counters.db")
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add_all([Counter(name="n"), VersionedCounter(name="n")])
    return engine


def total(engine):
    with Session(engine) as session:
        return sum(session.get(kind, "n").n for kind in (Counter, VersionedCounter))


def load_and_change(engine, kind=Counter):
    with Session(engine) as session, session.begin():
        session.get(kind, "n").n += 1


def let_the_database_count(engine):
    with Session(engine) as session, session.begin():
        session.execute(update(Counter).values(n=Counter.n + 1))


def compare_versions(engine):
    try:
        load_and_change(engine, VersionedCounter)
    except StaleDataError:
        compare_versions(engine)


@pytest.mark.parametrize(
    ("bump", "conflict"),
    [(load_and_change, True), (let_the_database_count, False), (compare_versions, False)],
)
def test_two_sessions_lose_a_count_unless_the_database_counts_or_versions_are_compared(
    bump, conflict
):
    result = counting(made, bump, total)
    assert is_conflict(result) is conflict
    assert conflict or result.exhausted


def test_only_statements_and_the_commit_are_steps():
    seen = []

    def watching(world):
        seen.append(world.context.record)
        return made(world)

    counting(watching, let_the_database_count, total)
    steps = [step for step in seen[0].steps if step.phase == "race"]
    assert [(step.actor, step.label) for step in steps] == [
        (actor, label) for actor in "ab" for label in ("UPDATE counters", "COMMIT")
    ]
