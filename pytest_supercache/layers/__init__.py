"""The layers under test: origin, existing cache, super cache, their clock and messages.

The existing cache is fakeredis, or a Redis or Valkey server. Layers announce their steps through a
switch, and know of no schedule.
"""
