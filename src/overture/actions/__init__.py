"""Verbs, one a file: each reads the facts, lets the domain decide, and writes; whoever opened the transaction commits."""
