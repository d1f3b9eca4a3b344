"""Overture: one HTTP call opens an SMS or WhatsApp conversation, an agent carries it on, durably."""

__version__ = "0.1.0"
