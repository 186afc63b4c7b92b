"""Settings of the MQTT broker."""

from datetime import timedelta

from pydantic import Field, SecretStr, field_validator

from fridge_assets.settings._group import Group


class MqttSettings(Group):
    """An MQTT broker as a source of the stream, with the ``mqtt`` extra; sources say which topics are read."""

    host: str = Field("", description="name or address of the broker; empty: the landing folder alone is read")
    port: int = Field(1883, ge=1, le=65535, description="1883 as a rule, 8883 with TLS")
    username: str = Field("", description="empty for none")
    password: SecretStr = Field(SecretStr(""), description="of that user; never shown")
    tls: bool = Field(False, description="whether the connection is encrypted and the broker's certificate is checked")
    ca_file: str = Field("", description="PEM of who signs the broker's certificate; empty: whom the machine trusts")
    cert_file: str = Field("", description="PEM of our certificate, for brokers that ask for one; implies tls")
    key_file: str = Field("", description="PEM of its key; empty where it is in the same file")
    client_id: str = Field(
        "",
        description="under which the broker keeps what was not taken yet; empty: one made of this machine and the data "
        "folder, which is another one after each start of a container. Two clients of one id drive each other away",
    )
    keep_alive: timedelta = Field(
        timedelta(seconds=60), gt=timedelta(0), description="without a word for this long a connection counts as lost"
    )
    answer_within: timedelta = Field(
        timedelta(seconds=30), gt=timedelta(0), description="how long the broker may take to answer at the start"
    )
    longest_pause: timedelta = Field(
        timedelta(minutes=1),
        gt=timedelta(0),
        description="longest of the growing pauses between two attempts to connect again",
    )
    file_every: timedelta = Field(
        timedelta(seconds=30),
        gt=timedelta(0),
        description="messages of so long make a landing file, which the stream and ingestion then read: what is seen "
        "sooner makes more files, that are kept for FRIDGE_RETENTION__LANDING",
    )

    @field_validator("host")
    @classmethod
    def _is_a_host(cls, host: str) -> str:
        if "/" in host or host.count(":") == 1:
            raise ValueError(
                "it is a name or an address alone; the port is FRIDGE_MQTT__PORT, and encryption FRIDGE_MQTT__TLS"
            )
        return host
