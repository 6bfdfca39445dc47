"""The object that carries a topology, and what may be read of it by everybody."""
