"""What the demo and the benchmarks share: the public command line, traffic inside the box, and moments read from it."""

from trial.commands import CommandFailedError, Done, Grayling
from trial.moments import Moments, moments_of
from trial.place import Place, PlaceError
from trial.traffic import Traffic

__all__ = ["CommandFailedError", "Done", "Grayling", "Moments", "Place", "PlaceError", "Traffic", "moments_of"]
