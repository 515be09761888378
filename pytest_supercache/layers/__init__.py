"""What is raced: the origin, the existing cache, the super cache, their clock and messages."""
