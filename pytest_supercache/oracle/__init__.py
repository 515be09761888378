"""What a history proves: guarantees, and the judgement of one execution."""
