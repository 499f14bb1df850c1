from tests.support.s3 import failing_s3, s3, s3_server

__all__ = ["failing_s3", "s3", "s3_server"]
