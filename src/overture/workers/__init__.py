"""Clockwork: one short loop for each road, none of which decides anything."""
