"""`python -m handset`."""

from handset.main import main

main()
