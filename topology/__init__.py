"""Declared topology: queues, topics, streams and the like as data, made true by one reconciler for every system."""
