"""A real one-node Kubernetes on this machine, built from package registries alone."""
