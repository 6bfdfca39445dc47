"""Previews as they come, made one change set: Pulumi's JSON, its events and its plans, and our own render."""
