"""How a sensor's wait ends: in the same way in every mode, whatever Airflow's sensor loop makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException

from airflow_provider_sela.exceptions import SelaError


class WaitOverError(AirflowSkipException):
    """Carries an error past Airflow's sensor loop, whose soft_fail, silent_fail and never_fail would hide it.

    Airflow lets this one kind pass untouched in every version; it never leaves the sensor.
    """

    def __init__(self, error: SelaError) -> None:
        super().__init__()
        self.error = error


@contextmanager
def own_endings(time_out: Callable[[], Exception], *, soft_fail: bool) -> Iterator[None]:
    """Raise the error that ended the wait, now that it is past Airflow's sensor loop.

    :param time_out: makes the exception of a time-out: Airflow's own, or a skip.
    :param soft_fail: whether a time-out is skipped.
    """
    end: Exception
    try:
        yield
        return
    except WaitOverError as over:
        end = over.error
    except AirflowSensorTimeout:
        end = time_out()
    except AirflowSkipException as skip:
        # Airflow and sensors made of this one skip for other reasons, too; Airflow names the cause.
        if not soft_fail or skip.__cause__ is not None:
            raise
        end = time_out()
    raise end from None
