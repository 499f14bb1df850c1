from tests.http.transports import read
from tests.support.connections import connect, hook_to, logged, slept

__all__ = ["connect", "hook_to", "logged", "read", "slept"]
