"""How an agent thinks, pure: specifications, variables, and the two kinds of agent as reducers."""
