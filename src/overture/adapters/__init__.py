"""Foreign protocols, translated to the ports of the domain. An adapter neither decides nor remembers."""
