"""Caches in front of the database: in a process, and through Redis for all processes of an installation."""
