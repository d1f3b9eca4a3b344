"""What goes wrong on purpose: the kinds of faults, the rules that say when, and which of them acted."""
