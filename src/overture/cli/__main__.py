"""`python -m overture.cli` is the command `overture`."""

from overture.cli.main import main

main()
