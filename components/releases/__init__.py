"""Services under gray release, and the engine that carries their releases out."""
