"""Pages for people who look after conversations."""
