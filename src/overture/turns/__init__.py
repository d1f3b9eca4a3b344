"""One turn at a time: the only place where an agent's decisions are carried out."""
