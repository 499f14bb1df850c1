"""A certificate authority of our own, and the certificates that it signed, of servers and of clients."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_NOW = datetime.now(UTC)


class Authority:
    """A certificate authority whose files lie in one folder.

    :ivar bundle: its certificate as a PEM file, for extra ``verify``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Sela test authority")
        certificate = _builder(self._name, self._name, self._key, days=1).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.bundle = folder / "authority.pem"
        signed = certificate.sign(self._key, hashes.SHA256())
        self.bundle.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def server(
        self, address: str = "127.0.0.1", days: int = 1, *, clients: Authority | None = None
    ) -> ssl.SSLContext:
        """Context of a server for ``address``, with a certificate that ends in ``days``.

        :param clients: who must have signed a client's certificate; None asks for no certificate.
        """
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue("server", names, days=days))
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients.bundle)
        return context

    def issue(
        self,
        name: str,
        *extensions: x509.ExtensionType,
        days: int = 1,
        password: bytes | None = None,
        subject: str | None = None,
    ) -> tuple[Path, Path]:
        """Files with a certificate and its key; a password encrypts the key."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(subject or f"Sela test {name}"), self._name, key, days)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        certificate_file, key_file = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        signed = builder.sign(self._key, hashes.SHA256())
        certificate_file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)
        key_file.write_bytes(private)
        return certificate_file, key_file


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_NOW - timedelta(days=2))
        .not_valid_after(_NOW + timedelta(days=days))
    )
