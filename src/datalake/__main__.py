"""`python -m datalake`, for where the command itself is not installed."""

from datalake.cli import main

main()
