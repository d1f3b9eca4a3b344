"""Verbs, one a file: each reads facts, lets the domain decide, and writes; who opened the transaction commits."""
