"""One execution of real code under a schedule: threads, switch points, locks, time and state.

Left may import right: process, redis and sql, aio, sync, memory, observe, kernel. Footprints are
declared before a step runs. Searches and verdicts are decided elsewhere.
"""
