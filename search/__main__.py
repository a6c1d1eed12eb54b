"""`python -m search` is the command `genome`."""

from .cli.app import main

main()
