"""`python -m search` is the command `genome`."""

from search.cli.app import main

main()
