"""The Pulumi program: read the environment that the stack file describes, and declare it."""

import pulumi

from components.register import declare, platform_from_pulumi
from kube.errors import UsageError

try:
    platform = platform_from_pulumi()
    declare(platform)
except UsageError as error:
    raise pulumi.RunError(str(error)) from error

pulumi.export("namespace", platform.environment.namespace)
pulumi.export("components", sorted(component.name for component in platform.components))
