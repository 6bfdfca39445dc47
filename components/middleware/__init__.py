"""Brokers and caches."""
