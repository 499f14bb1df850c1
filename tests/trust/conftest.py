from tests.hooks.transports import read

__all__ = ["read"]
