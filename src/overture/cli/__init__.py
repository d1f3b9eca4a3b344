"""The command line: every verb imports only what it needs, so that help comes at once."""
