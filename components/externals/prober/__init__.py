"""The program that asks an external system whether it is well: `python -m components.externals.prober`."""
