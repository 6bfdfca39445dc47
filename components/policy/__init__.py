"""Rules of the house: what an environment of a tier must have, who may be excused from it, and until when."""
