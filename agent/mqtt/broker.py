"""The connection to the broker. The only place that imports the MQTT client."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import aiomqtt

from agent.config.settings import BrokerSettings
from agent.platform.edited_files import read_secret
from agent.platform.errors import AgentError, CertificateFileError, EditedFileError
from agent.platform.tls import client_context, cut_off, explain_tls

OPEN_S = 10.0
PUBLISH_S = 10.0
KEEPALIVE_S = 20
INCOMING_MAX = 2000  # messages that may wait for us, and
INCOMING_BYTES_MAX = 4_000_000  # their bytes; of more the oldest are dropped
PACKET_MAX = 1_000_000  # bytes; MQTT allows 256 MB, and the client would take them into memory
_REFUSED = 128  # from here on a SUBACK says no
# The client's own time-out (asyncio.wait_for before Python 3.12) may swallow a cancellation that
# comes together with the broker's answer; the bus would then neither end nor begin anew.
_OUR_OWN = math.inf
_QOS = 1


class BrokerError(AgentError):
    """There is no broker, it refuses us, or the connection broke."""


class LoginRefused(BrokerError):
    """It knows neither our name nor our password, or does not want us."""


class _TooMuch(ConnectionError):
    """The broker sends more than we hold."""


class Received(NamedTuple):
    """A message that has come."""

    topic: str
    payload: bytes
    is_kept: bool = False  # retained by the broker, not sent now


@dataclass(frozen=True, slots=True)
class Publication:
    """A message that goes out."""

    topic: str
    text: str
    is_kept: bool = False  # the broker retains it for those who come later


def takes_all(size: int, is_kept: bool) -> str:
    """No message is unwanted."""
    return ""


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """How we connect: name, subscriptions, last will."""

    identifier: str
    topics: tuple[str, ...]  # to subscribe to
    last_will: Publication | None  # the broker publishes it when we vanish
    dropped: Callable[[str], None]  # called with what there was no room for
    # What is dropped at once: bytes, and whether the broker had kept it; says what that is called.
    unwanted: Callable[[int, bool], str] = takes_all


class Connection(Protocol):
    """One connection to the broker."""

    def messages(self) -> AsyncIterator[Received]:
        """What comes. Raises BrokerError when the connection breaks."""

    async def publish(self, message: Publication) -> None:
        """Send, at least once, and wait until the broker has it. Raises BrokerError."""


class _Mqtt:
    def __init__(self, client: aiomqtt.Client, heard: _Heard) -> None:
        self._client = client
        self._heard = heard

    async def messages(self) -> AsyncIterator[Received]:
        try:
            async for message in self._client.messages:
                payload = message.payload if isinstance(message.payload, bytes) else b""
                yield Received(message.topic.value, payload, message.retain)
        except aiomqtt.MqttError as problem:
            raise BrokerError(self._heard.why("the connection broke")) from problem

    async def publish(self, message: Publication) -> None:
        payload = message.text.encode()
        try:
            async with asyncio.timeout(PUBLISH_S):
                await self._client.publish(
                    message.topic, payload, qos=_QOS, retain=message.is_kept, timeout=_OUR_OWN
                )
        except TimeoutError:
            raise BrokerError(f"a message was not confirmed within {PUBLISH_S:g} s") from None
        except aiomqtt.MqttError as problem:
            raise BrokerError(self._heard.why("a message could not be sent")) from problem

    async def subscribe(self, topic: str) -> None:
        """Raises BrokerError when we may not, and aiomqtt.MqttError."""
        try:
            async with asyncio.timeout(OPEN_S):
                granted = await self._client.subscribe(topic, qos=_QOS, timeout=_OUR_OWN)
        except TimeoutError:
            raise BrokerError(f"no answer to our wish to read {topic}") from None
        if any(getattr(code, "value", code) >= _REFUSED for code in granted):
            raise BrokerError(f"the broker does not let us read {topic}")


class _Incoming(asyncio.Queue[aiomqtt.Message]):
    """What is said now, bounded by bytes too: thousands of small messages, not of large ones."""

    def __init__(self, config: ClientConfig) -> None:
        super().__init__(INCOMING_MAX)
        self._unwanted, self._dropped = config.unwanted, config.dropped
        self._bytes = 0

    def put_nowait(self, item: aiomqtt.Message) -> None:
        size = _size(item)
        if unwanted := self._unwanted(size, item.retain):
            self._dropped(unwanted)
            return
        # The newest limit counts, and whoever has waited longest has given up first.
        while not self.empty() and (self.full() or self._bytes + size > INCOMING_BYTES_MAX):
            self.get_nowait()
            self._dropped("messages that come in")
        super().put_nowait(item)

    def _put(self, item: aiomqtt.Message) -> None:
        self._bytes += _size(item)
        super()._put(item)

    def _get(self) -> aiomqtt.Message:
        item = super()._get()
        self._bytes -= _size(item)
        return item


def _incoming_of(config: ClientConfig) -> type[_Incoming]:
    """What the client makes its queue of; how much fits is not its business."""

    class Incoming(_Incoming):
        def __init__(self, maxsize: int = 0) -> None:
            super().__init__(config)

    return Incoming


def _size(item: aiomqtt.Message) -> int:
    return len(item.payload) if isinstance(item.payload, bytes | bytearray) else 0


@asynccontextmanager
async def connected(settings: BrokerSettings, config: ClientConfig) -> AsyncIterator[Connection]:
    """Connect and subscribe. Raises BrokerError, now or when the connection breaks."""
    will = config.last_will
    heard = _Heard()
    client = aiomqtt.Client(
        settings.host,
        settings.port,
        username=settings.username or None,
        password=_password(settings),
        identifier=config.identifier,
        will=None if will is None else _as_will(will),
        tls_context=_tls(settings),
        timeout=OPEN_S,
        keepalive=KEEPALIVE_S,
        clean_session=True,  # what was asked while we were away has been given up by now
        queue_type=_incoming_of(config),
        # Else every small message may wait 40 ms for the other side to confirm the one before.
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        logger=heard.logger(),
    )
    _limit_packets(client)
    try:
        async with client:
            _end_if_cancelled()
            connection = _Mqtt(client, heard)
            for topic in config.topics:
                await connection.subscribe(topic)
            yield connection
    except aiomqtt.MqttError as problem:
        raise _explained(problem, settings, heard) from problem
    except (OSError, ValueError) as problem:
        raise BrokerError(f"{settings.host}:{settings.port}: {problem}") from problem


def _as_will(message: Publication) -> aiomqtt.Will:
    return aiomqtt.Will(message.topic, message.text.encode(), qos=_QOS, retain=message.is_kept)


def _limit_packets(client: aiomqtt.Client) -> None:
    """No broker makes us hold more than this of one message.

    The client knows no limit, and has no public place for one. It reads what is left of a packet
    in one call, whose size the broker has named; and it keeps what comes with a QoS of 2, for which
    we never ask, as long as the broker wishes.
    """
    paho = client._client
    receive = paho._sock_recv

    def receive_at_most(bufsize: int) -> bytes:
        if bufsize > PACKET_MAX:
            raise _TooMuch(f"the broker sends a message of more than {PACKET_MAX:,} bytes")
        if paho._in_messages:
            raise _TooMuch(f"the broker sends with QoS 2, we have asked for {_QOS}")
        return receive(bufsize)

    paho._sock_recv = receive_at_most  # type: ignore[method-assign]


def _end_if_cancelled() -> None:
    """The client connects with a time-out of its own; see ``_OUR_OWN``."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _password(settings: BrokerSettings) -> str | None:
    if not settings.password_file:
        return None
    try:
        return read_secret(settings.password_file)
    except EditedFileError as problem:
        raise BrokerError(f"{settings.SECTION}.password_file: {problem}") from None


def _tls(settings: BrokerSettings) -> ssl.SSLContext | None:
    if not settings.ca_file:
        return None
    try:
        return client_context(settings.ca_file)
    except CertificateFileError as problem:
        raise BrokerError(f"{settings.SECTION}.ca_file: {problem}") from None


def _explained(problem: Exception, settings: BrokerSettings, heard: _Heard) -> BrokerError:
    where = f"{settings.host}:{settings.port}"
    # The client passes on only the text of what it met while connecting.
    for cause in (problem.__context__, heard.problem):
        if isinstance(cause, ssl.SSLError):
            return BrokerError(explain_tls(cause, where, f"{settings.SECTION}.ca_file"))
        if isinstance(cause, ConnectionResetError) and settings.ca_file:
            return BrokerError(cut_off(where))
        if isinstance(cause, socket.gaierror):
            return BrokerError(f"the name {settings.host} cannot be resolved (DNS)")
        if isinstance(cause, ConnectionRefusedError):
            return BrokerError(f"{where} refuses the connection: nothing listens on that port")
    text = heard.why(str(problem) or type(problem).__name__)
    if "Not authorized" in text or "user name or password" in text.lower():
        keys = f"{settings.SECTION}.username and {settings.SECTION}.password_file"
        return LoginRefused(f"{where} refuses us: check {keys}")
    return BrokerError(f"{where}: {text}")


class _Heard(logging.Handler):
    """The client's own log. It is not for the person at the box, but for two things.

    With TLS 1.3 a broker that demands a client certificate says so only after the handshake: the
    client then logs it, and waits for its answer until the time is over. And of what was too much
    it tells nobody else.
    """

    problem: ssl.SSLError | _TooMuch | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what TLS has to say, and what was too much."""
        for value in record.args if isinstance(record.args, tuple) else ():
            if isinstance(value, ssl.SSLError | _TooMuch):
                self.problem = value

    def why(self, otherwise: str) -> str:
        """Why the connection is over."""
        return str(self.problem) if isinstance(self.problem, _TooMuch) else otherwise

    def logger(self) -> logging.Logger:
        """One of its own: nothing of it goes any further."""
        logger = logging.Logger("agent.mqtt.mqtt", logging.ERROR)
        logger.addHandler(self)
        return logger
