"""amqtt as a program that keeps to MQTT where amqtt does not.

At the end of a connection amqtt forgets the messages that it has sent and that were not acknowledged. A broker has to
send them again (MQTT-4.4.0-1), which is what a client that acknowledges late counts on.
"""

from typing import Any

from amqtt.mqtt.protocol.handler import ProtocolHandler
from amqtt.scripts.broker_script import main
from amqtt.session import OutgoingApplicationMessage

_send = ProtocolHandler._handle_qos1_message_flow


async def _send_and_keep(self: Any, message: Any) -> None:
    session = self.session
    try:
        await _send(self, message)
    except BaseException:
        if isinstance(message, OutgoingApplicationMessage):
            await session.retained_messages.put(message)
        raise


if __name__ == "__main__":
    ProtocolHandler._handle_qos1_message_flow = _send_and_keep
    main()
