"""What providers send us."""
