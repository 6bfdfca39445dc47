"""A document of each form, and for each row of the table a change of it that the row must find."""

from __future__ import annotations

from copy import deepcopy

from components.contracts.document import contract_in
from components.contracts.reading import document_in

OPENAPI = """
openapi: 3.1.0
info: {title: orders, version: 1.2.0}
security: [{oauth: [orders.read]}, {key: []}]
paths:
  /orders:
    parameters: [{name: tenant, in: header, schema: {type: string}}]
    get:
      parameters: [{name: page, in: query, schema: {type: integer, maximum: 100}}]
      responses:
        200:
          description: all of them
          headers: {X-Total: {schema: {type: integer}}}
          content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Order'}}}}
        404: {description: none}
    post:
      requestBody:
        content:
          application/json: {schema: {$ref: '#/components/schemas/NewOrder'}}
          application/xml: {schema: {type: string}}
      responses:
        201: {description: taken, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
  /orders/{id}:
    delete: {responses: {204: {description: gone}}}
components:
  schemas:
    NewOrder:
      type: object
      required: [item]
      properties:
        item: {type: string, maxLength: 50}
        quantity: {type: [integer, string]}
        wanted: {type: string, format: date}
        channel: {type: string, enum: [web, phone]}
        address: {oneOf: [{type: string}, {type: object, properties: {city: {type: string}}}]}
    Order:
      allOf:
        - $ref: '#/components/schemas/NewOrder'
        - type: object
          required: [id, state]
          properties:
            id: {type: string, format: uuid, maxLength: 36}
            state: {type: string, enum: [open, sent]}
            parent: {$ref: '#/components/schemas/Order'}
            paid: {oneOf: [{type: string}, {type: number}]}
"""

ASYNC_2 = """
asyncapi: 2.6.0
info: {title: orders, version: '1'}
defaultContentType: application/json
channels:
  orders.created:
    subscribe:
      message:
        oneOf: [{$ref: '#/components/messages/Created'}, {$ref: '#/components/messages/Changed'}]
  orders.wanted:
    publish: {message: {name: wanted, payload: {type: object, properties: {item: {type: string}}}}}
  orders.avro:
    subscribe: {message: {name: old, schemaFormat: application/vnd.apache.avro;version=1.9.0, payload: {type: record}}}
components:
  messages:
    Created: {name: created, payload: {type: object, required: [id], properties: {id: {type: string}}}}
    Changed: {name: changed, payload: {type: object, properties: {id: {type: string}}}}
"""

ASYNC_3 = """
asyncapi: 3.0.0
info: {title: orders, version: '1'}
channels:
  created:
    address: orders.created
    messages:
      created: {payload: {schemaFormat: application/schema+json, schema: {properties: {id: {type: string}}}}}
      changed: {payload: {type: object, properties: {id: {type: string}}}, contentType: application/json}
  wanted: {address: orders.wanted, messages: {wanted: {payload: {type: object}}}}
operations:
  tell: {action: send, channel: {$ref: '#/channels/created'}}
  hear: {action: receive, channel: {$ref: '#/channels/wanted'}}
"""

GONE = object()


def changed(text, path, value):
    """The document with one value changed; ``GONE`` takes it away."""
    data = document_in(text, "contract.yaml")
    *parents, last = path
    node = data
    for key in parents:
        node = node[key]
    if value is GONE:
        del node[last]
    else:
        node[last] = value
    return data


def contract(data):
    import json

    text = data if isinstance(data, str) else json.dumps(deepcopy(data))
    return contract_in(text, "contract.yaml" if isinstance(data, str) else "contract.json")


ORDERS, ORDER, NEW = ("paths", "/orders"), ("components", "schemas", "Order", "allOf", 1), ("components", "schemas")
GET, POST = (*ORDERS, "get"), (*ORDERS, "post")
ITEM = (*NEW, "NewOrder", "properties")
OWN = (*ORDER, "properties")
BODY = (*POST, "requestBody")

HTTP_CASES = {
    "path-removed": (("paths", "/orders/{id}"), GONE),
    "operation-removed": (POST, GONE),
    "parameter-required": ((*GET, "parameters", 0, "required"), True),
    "parameter-removed": ((*GET, "parameters"), []),
    "request-body-required": ((*BODY, "required"), True),
    "request-media-removed": ((*BODY, "content", "application/xml"), GONE),
    "request-property-required": ((*NEW, "NewOrder", "required"), ["item", "quantity"]),
    "request-property-refused": (
        (*BODY, "content", "application/json", "schema"),
        {"type": "object", "required": ["item"], "properties": {"item": {}}, "additionalProperties": False},
    ),
    "request-type-narrowed": ((*ITEM, "quantity"), {"type": "integer"}),
    "request-enum-narrowed": ((*ITEM, "channel", "enum"), ["web"]),
    "request-format-changed": ((*ITEM, "wanted", "format"), "date-time"),
    "request-limit-narrowed": ((*ITEM, "item", "maxLength"), 40),
    "request-form-removed": ((*ITEM, "address", "oneOf"), [{"type": "string"}]),
    "response-removed": ((*GET, "responses"), {"404": {"description": "none"}}),
    "response-media-removed": ((*GET, "responses", "200", "content"), {"text/csv": {}}),
    "response-header-removed": ((*GET, "responses", "200", "headers"), {}),
    "response-property-removed": ((*OWN, "state"), GONE),
    "response-property-optional": ((*ORDER, "required"), ["state"]),
    "response-type-widened": ((*OWN, "id", "type"), ["string", "null"]),
    "response-enum-widened": ((*OWN, "state", "enum"), ["open", "sent", "lost"]),
    "response-format-changed": ((*OWN, "id", "format"), GONE),
    "response-limit-widened": ((*OWN, "id", "maxLength"), 99),
    "response-form-added": ((*OWN, "paid", "oneOf"), [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]),
    "security-changed": (("security",), [{"oauth": ["orders.read", "orders.all"]}, {"key": []}]),
}
CREATED = ("components", "messages", "Created")
ASYNC_CASES = {
    "channel-removed": (("channels", "orders.created"), GONE),
    "message-removed": (
        ("channels", "orders.created", "subscribe", "message", "oneOf"),
        [{"$ref": "#/components/messages/Created"}],
    ),
    "message-added": (
        ("channels", "orders.created", "subscribe", "message", "oneOf"),
        [{"name": name, "payload": {"$ref": f"#/components/messages/{name.capitalize()}/payload"}}
         for name in ("created", "changed")] + [{"name": "lost", "payload": {}}],
    ),
    "message-content-changed": (("defaultContentType",), "application/xml"),
    "payload-not-compared": (("channels", "orders.avro", "subscribe", "message", "payload"), {"type": "string"}),
}  # fmt: skip
