"""The only SQL: one schema on two engines, and one module for each stored noun."""
