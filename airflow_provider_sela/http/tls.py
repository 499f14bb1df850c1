"""Which servers are trusted, and which client certificate they are shown."""

from __future__ import annotations

import contextlib
import errno
import os
import ssl
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import certifi

from airflow_provider_sela.exceptions import SelaSetupError
from airflow_provider_sela.http.environment import Route, route
from airflow_provider_sela.settings import Settings


class Trust:
    """The TLS contexts of one connection, for either HTTP library; each is made when it is first needed.

    :param settings: the connection.
    :raises SelaSetupError: on first use, authorities or client certificate cannot be loaded.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def of_others(self) -> ssl.SSLContext:
        """For a proxy, and for servers that are not the connection's: shows no client certificate."""
        return _context(route(self._settings.base_url, self._settings, os.environ))

    @cached_property
    def of_server(self) -> ssl.SSLContext:
        """For the connection's own server."""
        if self._settings.client_cert is None:
            return self.of_others
        context = _context(route(self._settings.base_url, self._settings, os.environ))
        _load_client_certificate(context, self._settings)
        return context


def _context(way: Route) -> ssl.SSLContext:
    paths = [Path(path) for path in way.authorities or (certifi.where(),)]
    context = None
    with contextlib.suppress(OSError, ValueError):
        if len(paths) == 1 and not paths[0].is_dir():
            context = ssl.create_default_context(cafile=paths[0])
        else:
            context = _context_of_folders(paths)
    if context is None or not context.cert_store_stats()["x509"]:
        raise SelaSetupError(f"the CA bundle of {way.named_by} cannot be read")
    # A name in the subject alone counts for the standard library and not for urllib3: RFC 9525, section 6.3.
    context.hostname_checks_common_name = False
    return context


def _context_of_folders(folders: Sequence[Path]) -> ssl.SSLContext:
    # OpenSSL finds a certificate in a folder only by a name that c_rehash made, so each file is read as well.
    context = ssl.create_default_context(capath=os.pathsep.join(map(str, folders)))
    files = {path.resolve() for folder in folders if folder.is_dir() for path in folder.iterdir()}
    for file in sorted(files):
        with contextlib.suppress(OSError):
            context.load_verify_locations(cafile=file)
    return context


def _load_client_certificate(context: ssl.SSLContext, settings: Settings) -> None:
    try:
        context.load_cert_chain(settings.client_cert or "", settings.client_key, password=_refuse_password)
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
