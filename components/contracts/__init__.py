"""Contracts between services: OpenAPI and AsyncAPI documents, what breaks them, and the dictionary of their fields."""
