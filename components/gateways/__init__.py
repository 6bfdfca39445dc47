"""Gateways, and what carries their traffic."""
