"""How agents think: golden tables, played conversations, and what must hold for any text."""
