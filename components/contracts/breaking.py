"""What breaks those who were built for the older of two contracts: one table, and one function that finds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.contracts import asyncapi, openapi
from components.contracts.document import Form
from components.contracts.schemas import Breach, Comparison

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.contracts.document import Contract


@dataclass(frozen=True, slots=True)
class Row:
    """One sort of breach.

    Attributes:
        id: stable name; machines use it.
        what: what changed.
        why: who is broken by it, and how.
        breaking: somebody is certainly broken who used it; else somebody may be.
    """

    id: str
    what: str
    why: str
    breaking: bool = True


TABLE: tuple[Row, ...] = (
    Row("contract-removed", "a contract is no more provided", "its users cannot know what they get"),
    Row("contract-form-changed", "OpenAPI becomes AsyncAPI, or the other way", "nothing of it can be compared"),
    Row("path-removed", "a path is gone", "its callers get 404"),
    Row("operation-removed", "a method of a path is gone", "its callers get 405"),
    Row("parameter-required", "a parameter must be given", "who does not give it gets 400"),
    Row("parameter-removed", "a parameter is gone", "who gives it is not heard, or gets 400", breaking=False),
    Row("request-body-required", "a body must be sent", "who sends none gets 400"),
    Row("request-media-removed", "a media type is no more taken", "who sends it gets 415"),
    Row("request-property-required", "a property must be sent", "who does not send it gets 400"),
    Row("request-property-refused", "a property is no more taken", "who sends it gets 400"),
    Row("request-type-narrowed", "a value may have fewer types", "who sends the others gets 400"),
    Row("request-enum-narrowed", "a value may be fewer words", "who sends the others gets 400"),
    Row("request-format-changed", "a value has another format", "who sends the old one gets 400"),
    Row("request-limit-narrowed", "a limit of a value is tighter", "who sends what is beyond gets 400"),
    Row("request-form-removed", "one of several forms is no more taken", "who sends it gets 400"),
    Row("response-removed", "a successful status is gone", "who waits for it takes the answer for a failure"),
    Row("response-media-removed", "a media type is no more answered", "who reads it cannot read the answer"),
    Row("response-header-removed", "a header of an answer is gone", "who reads it finds nothing", breaking=False),
    Row("response-property-removed", "a property is no more given", "who reads it finds nothing"),
    Row("response-property-optional", "a property may be missing", "who counts on it fails sometimes"),
    Row("response-type-widened", "a value may have more types", "who reads the old ones alone fails"),
    Row("response-enum-widened", "a value may be more words", "who knows the old ones alone may fail", breaking=False),
    Row("response-format-changed", "a value has another format", "who reads the old one fails"),
    Row("response-limit-widened", "a limit of a value is wider", "who made room for the old may fail", breaking=False),
    Row("response-form-added", "one more form may be given", "who knows the others alone may fail", breaking=False),
    Row("security-changed", "a way to log in is no more taken", "who logs in so gets 401"),
    Row("channel-removed", "a channel is gone, or no more used in this direction", "who listens hears nothing"),
    Row("message-removed", "a message is gone", "who waits for it waits in vain; who sends it is not heard"),
    Row("message-added", "one more message comes on a channel", "who knows the others alone may fail", breaking=False),
    Row("message-content-changed", "a message has another content type", "who reads the old one cannot read it"),
    Row("payload-not-compared", "a payload changed that is no JSON Schema", "what is not compared may break anybody"),
)
BY_ID = {row.id: row for row in TABLE}
_FINDERS = {Form.OPENAPI: openapi.breaches, Form.ASYNCAPI: asyncapi.breaches}


def breaches(old: Contract, new: Contract, *, needs: bool = False) -> list[Breach]:
    """What breaks who was built for ``old`` when ``new`` comes; certain things first.

    With ``needs``, ``old`` is a consumer's part of a document: what it leaves out, it does not need.

    Raises:
        ContractError: the two are too entangled to be compared.
    """
    if old.form is not new.form:
        return [Breach("contract-form-changed", new.name, f"{old.form} becomes {new.form}")]
    found = dict.fromkeys(_FINDERS[old.form](Comparison(old, new, needs)))
    return sorted(found, key=lambda each: (not BY_ID[each.id].breaking, each.where, each.id, each.text))


def unmet(needs: Contract, offers: Iterable[Contract]) -> list[Breach]:
    """What a consumer needs and no offer has: of the offer that comes nearest. Nothing where one fits.

    ``needs`` is the part of the provider's document that the consumer was built for, as the provider would write it.
    """
    alike = [each for each in offers if each.form is needs.form]
    if not alike:
        return [Breach("contract-removed", needs.name, f"no {needs.form} document is provided")]
    left = ([each for each in breaches(needs, one, needs=True) if BY_ID[each.id].breaking] for one in alike)
    return min(left, key=len)
