"""Nouns and rules, pure: nothing here reads a clock, a socket, a file or a random number."""
