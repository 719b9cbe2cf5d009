"""Everything `./dev` runs: setup, checks, tests, the demo and the benches."""
