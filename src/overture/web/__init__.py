"""The doors: HTTP in, answers out. A route says who may, does it, and shows it."""
