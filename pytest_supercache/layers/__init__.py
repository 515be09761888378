"""What is raced: the origin, the existing cache, the super cache, their clock and messages.

The existing cache is fakeredis, or a Redis or Valkey server. Layers announce their steps to whoever
runs them, and know of no schedule.
"""
