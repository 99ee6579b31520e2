"""`python -m baro` and `torchrun … -m baro`: the command line."""

from baro.cli import main

main()
