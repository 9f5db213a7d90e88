"""`python -m pennon` is `pennon`."""

from pennon.cli import main

main()
