"""Numbered SQL files, applied in order by `store/migrate.py`; an applied one is never edited."""
