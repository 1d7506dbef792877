"""`python -m amaro` is the `amaro` command."""

from amaro.cli import main

main()
