"""Short ways to write what tests declare."""

from topology.api.spec import Item, TopologySpec, labelled


def item(kind, name, within="", **settings):
    return Item(label=labelled(kind, name, within), kind=kind, name=name, within=within, settings=settings)


def spec(*items, **more):
    return TopologySpec(system="rabbitmq", address="http://broker:15672", items=list(items), **more)
