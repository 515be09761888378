"""The drafts that a gate run leaves for people, by the names of their files. Nothing is sent."""

from pytest_supercache.gate.message import message
from pytest_supercache.gate.postmortem import postmortem

DRAFTS = {"message.md": message, "postmortem.md": postmortem}
"""Each is a function of a verdict document, the decision and the rules."""
