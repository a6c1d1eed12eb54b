"""`python -m search` is the command `genome`."""

from .cli import main

main()
