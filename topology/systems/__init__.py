"""One module for each system: how it is seen, and how one step is taken."""
