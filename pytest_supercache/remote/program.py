"""Describes the child process that a worker starts, and the error that says it has not answered."""

from dataclasses import dataclass

from pytest_supercache.remote.identity import Files


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """How a child process begins; a child takes calls for one program only."""

    run: str
    """Of the executor that sent it, whose children end with it."""
    folder: str
    path: tuple[str, ...]
    """Where it imports from, before installed packages."""
    variables: tuple[tuple[str, str], ...]
    """Its environment, but for the variables that describe a machine."""
    files: Files
    identity: str
    """The digest of the identity that it must have."""
    entry: str = "pytest_supercache.remote.child:answer"
    """The function that answers calls, as ``module:name``."""
    given: bytes = b""
    """What that function needs, pickled."""
    priority: int = 0
    """Of calls that wait for a thread of a worker, those with the highest priority come first."""


class NotCalledError(Exception):
    """The call has to be made in this process: no other one has answered it."""
