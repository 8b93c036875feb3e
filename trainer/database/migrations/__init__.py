"""Alembic's migrations of the job database, for SQLite and PostgreSQL.

A change of trainer/database/tables.py needs a revision here: a file in versions with the next
number. Only add; a rename or removal would break services that still run while others are replaced.
"""
