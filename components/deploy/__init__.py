"""From what a stack declares to a cluster: render, compare, apply, take away; or register with Pulumi."""
