"""The declaring half: an environment of middleware, gateways, monitors and services, read from one stack file.

Each component yields plain manifests; :mod:`components.register` hands them to Pulumi, :mod:`components.render` and
:mod:`components.apply` bring the very same manifests to a cluster without it.
"""
