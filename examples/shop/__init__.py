"""The sample shop: ``checkout`` takes orders over HTTP, ``billing`` consumes them from RabbitMQ.

Small services with real dependencies, made to be released, watched and broken: ``SHOP_VERSION`` says which version a
pod is, and ``POST /fault`` on its admin port breaks it at a known moment.
"""
