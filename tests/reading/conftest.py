from tests.support.connections import connect, hook_to, logged

__all__ = ["connect", "hook_to", "logged"]
