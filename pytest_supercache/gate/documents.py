"""The drafts that a gate run writes for people, by file name; nothing is ever sent."""

from pytest_supercache.gate.message import message
from pytest_supercache.gate.postmortem import postmortem

DRAFTS = {"message.md": message, "postmortem.md": postmortem}
"""Each value is a function of a verdict document, the decision and the rules."""
