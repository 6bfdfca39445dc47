"""`.grayling/promotion.yaml`: what stays each environment's own, and which clusters follow one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, ValidationError, field_validator, model_validator

from components.model.mistakes import Mistake, StackError, mistakes_of
from components.model.values import Label, Namespace
from components.stack.nodes import Map, plain
from components.stack.reading import read
from components.stack.stackfile import placed
from review.promotion.carried import BY_ENTRY, TRAVELS
from rollout.api.durations import Seconds
from rollout.api.wire import Model, none_twice

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ".grayling"
FILE = "promotion.yaml"
ALL = "*"
DAY = 86_400.0
Text = Annotated[str, Field(min_length=1, max_length=253)]
Duration = Annotated[Seconds, Field(ge=0, le=30 * DAY)]


class Home(Model):
    """Where the state of waves is kept: the one place that every command asks."""

    context: Text
    namespace: Namespace


class Target(Model):
    """One stack on one cluster."""

    stack: Text
    context: Text

    @property
    def name(self) -> str:
        """`shop on eu-1`."""
        return f"{self.stack} on {self.context}"


class Wave(Model):
    """Targets that go together."""

    targets: Annotated[list[Target], Field(min_length=1, max_length=100)]
    bake: Duration = Field(default=0.0, description="how long nothing may go wrong before the next wave begins")


class Waves(Model):
    """Waves in their order."""

    home: Home
    waves: Annotated[list[Wave], Field(min_length=1, max_length=100)]
    timeout: Annotated[Seconds, Field(gt=0, le=30 * DAY)] = Field(
        default=2 * 3600.0, description="how long the releases of one wave may take"
    )

    @model_validator(mode="after")
    def _each_target_once(self) -> Waves:
        none_twice("targets", [target.name for wave in self.waves for target in wave.targets])
        return self


class Settings(Model):
    """The whole file."""

    own: dict[str, list[str]] = Field(
        default_factory=dict, description="by service, * for all: keys that no promotion writes"
    )
    waves: dict[Label, Waves] = Field(default_factory=dict)

    @field_validator("own")
    @classmethod
    def _keys_that_travel(cls, own: dict[str, list[str]]) -> dict[str, list[str]]:
        for path in (each for paths in own.values() for each in paths):
            key, dot, entry = path.partition(".")
            if key not in TRAVELS:
                raise ValueError(f"{path!r} is no key that travels; those are {', '.join(TRAVELS)}")
            if dot and (key not in BY_ENTRY or not entry):
                raise ValueError(f"{path!r}: only {' and '.join(BY_ENTRY)} have entries of their own; write {key!r}")
        return own

    def own_of(self, service: str) -> frozenset[str]:
        """The key paths that no promotion of a service writes."""
        return frozenset([*self.own.get(ALL, ()), *self.own.get(service, ())])


def settings_in(project: Path) -> Settings:
    """What the project's file says; nothing where there is none.

    Raises:
        StackError: with every mistake in it, each with its line.
    """
    path, source = project / FOLDER / FILE, f"{FOLDER}/{FILE}"
    if not path.exists() and not path.is_symlink():
        return Settings()
    document = read(path, source)
    if document.mistakes:
        raise StackError(source, document.mistakes)
    if not isinstance(document.root, Map):
        raise StackError(source, [Mistake("", "", "is no map", "it has the keys own and waves", 1)])
    try:
        return Settings.model_validate(plain(document.root))
    except ValidationError as error:
        found = mistakes_of(error, Settings, "")
        bare = [Mistake(each.path.removeprefix("."), *_rest(each)) for each in found]
        raise StackError(source, placed(tuple(bare), document)) from None


def _rest(mistake: Mistake) -> tuple[str, str, str]:
    return mistake.value, mistake.problem, mistake.fix
