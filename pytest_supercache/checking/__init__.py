"""Checks a body: decides what is searched, in which order, and what the verdict says.

`check` is the way in; it sets up one environment per check, and a runner executes, judges and
counts on it. Strategy, self-check, minimizing, diagnosis and odds each have a module. Nothing here
knows pytest, scenario files or reports, and nothing here controls a thread.
"""
