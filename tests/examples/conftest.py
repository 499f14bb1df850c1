from tests.support.s3 import s3, s3_server
from tests.warehouse.conftest import postgres_port

__all__ = ["postgres_port", "s3", "s3_server"]
