"""The client certificate of a connection, for servers that want to know who calls (mutual TLS)."""

from __future__ import annotations

import errno
import ssl
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util import create_urllib3_context

from airflow_provider_sela.deadline import BoundedAdapter
from airflow_provider_sela.exceptions import SelaSetupError
from airflow_provider_sela.settings import Settings


class ClientCertificateAdapter(BoundedAdapter):
    """Shows the client certificate to a server that asks for it.

    It has a context of its own: some versions of ``requests`` load a session's certificate into a context
    that they share with every other session of the process.

    :param settings: a connection with ``client_cert``.
    :raises SelaSetupError: certificate or key cannot be used.
    """

    def __init__(self, settings: Settings, **kwargs: Any) -> None:
        self._context = create_urllib3_context()
        load_client_certificate(self._context, settings)
        super().__init__(**kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        return super().proxy_manager_for(*args, ssl_context=self._context, **kwargs)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        # Some versions load no authorities for True: they count on a context that has them.
        super().cert_verify(conn, url, DEFAULT_CA_BUNDLE_PATH if verify is True else verify, cert)  # type: ignore[no-untyped-call]


def load_client_certificate(context: ssl.SSLContext, settings: Settings) -> None:
    """Put the connection's client certificate, if it has one, into a TLS context.

    :raises SelaSetupError: certificate or key cannot be used; the message names the extra.
    """
    if settings.client_cert is None:
        return
    try:
        context.load_cert_chain(settings.client_cert, settings.client_key, password=_refuse_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            reason = "the key does not belong to the certificate"
        else:
            reason = "one of the files holds no certificate or no key in PEM form"
    except OSError as error:
        reason = f"a file cannot be read ({errno.errorcode.get(error.errno or 0, 'unknown error')})"
    else:
        return
    raise SelaSetupError(f"extras 'client_cert' and 'client_key': {reason}")


def _refuse_password() -> str:
    # Without a password OpenSSL would ask for one at the terminal and wait.
    raise SelaSetupError(
        "extra 'client_key': the key is encrypted; give a file with the key in clear that only the worker "
        "may read"
    )
