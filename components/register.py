"""What a Pulumi program imports of Grayling; it stays where it is, whatever moves behind it."""

from components.deploy.register import declare, platform_from_pulumi

__all__ = ["declare", "platform_from_pulumi"]
