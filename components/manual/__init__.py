"""The integration manual: what a stack declares, told to the people who work with it, without a cluster."""
