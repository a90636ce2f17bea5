"""Numbered SQL files, applied in order by review/database.py."""
