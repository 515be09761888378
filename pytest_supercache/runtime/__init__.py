"""One execution of real code under a schedule: threads, switch points, locks, time, state."""
