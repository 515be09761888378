"""Turns SQL statements into steps that name their tables and wait for database locks.

SQLite, aiosqlite, PostgreSQL and MariaDB have a door each, opened when their library is imported.
Calls that frameworks run on their own threads are actors. Nothing here inspects rows.
"""
