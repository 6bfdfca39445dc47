"""Shares as weights of a Gateway API HTTPRoute."""
