"""A real MQTT broker in a process of its own, and clients that publish to it."""

import asyncio
import ipaddress
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiomqtt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

PATIENCE = 20.0
USER, PASSWORD = "fridge", "right"
"""amqtt keeps nothing for a client that has not said who it is."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """amqtt on the loopback; can be stopped and started again on its port.

    Args:
        folder: for its configuration.
        certificate: PEM of its certificate and key, for TLS.
    """

    def __init__(self, folder: Path, *, certificate: Path | None = None) -> None:
        self.port = free_port()
        listener: dict[str, Any] = {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}
        if certificate is not None:
            listener |= {"ssl": True, "certfile": str(certificate), "keyfile": str(certificate)}
        passwords = folder / "passwords"
        passwords.write_text(f"{USER}:{PasswordHash((Argon2Hasher(),)).hash(PASSWORD)}\n")
        users = {"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(passwords)}}
        self._configuration = folder / "broker.yaml"
        self._configuration.write_text(json.dumps({"listeners": {"default": listener}, "plugins": users}))
        self._log = folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "fridge_assets_tests.streaming.mqtt_broker_process",
            "-c",
            str(self._configuration),
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self._process.poll() is None, self._log.read_text()
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError(self._log.read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    def publish(self, messages: Iterable[tuple[str, bytes | str]], *, retain: bool = False) -> None:
        """Publish (topic, payload) with QoS 1; each has reached the broker when this returns."""

        async def send() -> None:
            gateway = aiomqtt.Client("127.0.0.1", self.port, username=USER, password=PASSWORD)
            async with gateway as client:
                for topic, payload in messages:
                    await client.publish(topic, payload, qos=1, retain=retain)

        asyncio.run(send())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def write_certificate(path: Path) -> None:
    """A certificate of 127.0.0.1 that it signs itself, with its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "broker")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encodings = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(*encodings) + certificate.public_bytes(serialization.Encoding.PEM))
