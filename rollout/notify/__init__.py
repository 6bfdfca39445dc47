"""Telling people of releases: channels that are fed from the journal."""
