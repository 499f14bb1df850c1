from tests.http.transports import read

__all__ = ["read"]
