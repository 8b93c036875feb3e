"""Alembic's steps from each form of the job database to the next, for SQLite and PostgreSQL.

A change of trainer/database/tables.py needs a revision here: a file in versions, numbered on.
Programs that run while others are replaced work with the newer tables, too: add, do not rename or
remove.
"""
