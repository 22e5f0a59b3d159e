"""Copies of frames that nftables rules log to a group: netlink, without a library."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

NETLINK_NETFILTER = 12
PACKET, CONFIG = 0x400, 0x401  # NFNL_SUBSYS_ULOG and the message
ERROR, REQUEST_ACK = 2, 5
# Attributes of a configuration, and the values for "bind" and "copy whole packets".
CFG_CMD, CFG_MODE, CMD_BIND, COPY_PACKET = 1, 2, 1, 2
MARK, INDEV, PHYSINDEV, PAYLOAD, PREFIX = 2, 4, 6, 9, 10
HEADER = struct.Struct("=IHHII")
GENERIC = struct.Struct("!BBH")  # netfilter's own header: family, version, group
ATTRIBUTE = struct.Struct("=HH")
LARGEST = 64 * 1024
BUFFER_BYTES = 1 << 20


@dataclass(frozen=True)
class Logged:
    """A frame that a rule has logged."""

    prefix: str
    mark: int
    device: int  # the index of the link that it came in by: on a bridge, the port
    payload: bytes  # from the network header on


class Log:
    """A group of the kernel's netlink log, for the network namespace of this process."""

    def __init__(self, group: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self._socket.bind((0, 0))
        self._configure(group, CFG_CMD, bytes([CMD_BIND]))
        self._configure(group, CFG_MODE, struct.pack("!IBx", LARGEST - 1, COPY_PACKET))

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def __iter__(self) -> Iterator[Logged]:
        """Yield frames for ever; those that come too fast to be read are missed."""
        while True:
            try:
                yield from parse(self._socket.recv(LARGEST))
            except OSError as failure:
                if failure.errno != errno.ENOBUFS:
                    raise

    def _configure(self, group: int, kind: int, value: bytes) -> None:
        """Send one order and wait for the kernel's word on it."""
        body = GENERIC.pack(socket.AF_UNSPEC, 0, group) + _attribute(kind, value)
        self._socket.send(HEADER.pack(HEADER.size + len(body), CONFIG, REQUEST_ACK, 0, 0) + body)
        for type_, answer in messages(self._socket.recv(LARGEST)):
            if type_ == ERROR and (code := -struct.unpack_from("=i", answer)[0]):
                raise OSError(code, os.strerror(code))


def parse(data: bytes) -> Iterator[Logged]:
    """Read the frames of one datagram."""
    for kind, body in messages(data):
        if kind == PACKET:
            found = dict(_attributes(body[GENERIC.size :]))
            yield Logged(
                prefix=found.get(PREFIX, b"").rstrip(b"\0").decode(),
                mark=_number(found.get(MARK)),
                device=_number(found.get(PHYSINDEV, found.get(INDEV))),
                payload=found.get(PAYLOAD, b""),
            )


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Split a datagram into netlink messages: type and body."""
    while len(data) >= HEADER.size:
        length, kind, _, _, _ = HEADER.unpack_from(data)
        yield kind, data[HEADER.size : length]
        data = data[_padded(max(length, HEADER.size)) :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= ATTRIBUTE.size:
        length, kind = ATTRIBUTE.unpack_from(data)
        yield kind, data[ATTRIBUTE.size : length]
        data = data[_padded(max(length, ATTRIBUTE.size)) :]


def _attribute(kind: int, value: bytes) -> bytes:
    length = ATTRIBUTE.size + len(value)
    return ATTRIBUTE.pack(length, kind) + value + bytes(_padded(length) - length)


def _padded(length: int) -> int:
    return length + -length % 4


def _number(value: bytes | None) -> int:
    return int.from_bytes(value or b"", "big")
