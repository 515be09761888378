"""Turns SQL statements into steps that name their tables, and that wait for database locks.

SQLite and PostgreSQL have a door each, opened when their library is imported. The calls that
frameworks run on threads of their own are actors. Nothing here reads rows.
"""
