"""Floating addresses: loopback listeners on this machine whose connections go on from the lab's router."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from ipaddress import IPv4Address

from haos.lab.errors import LabError
from haos.lab.model import FloatingAddress

SSH_PORT = 22
CONNECT_S = 30.0
HELPER_S = 5.0
CHUNK = 64 * 1024


class FloatingListeners:
    """Listens on floating addresses, on one port each, and forwards to one port inside."""

    def __init__(self, sockets: socket.socket, port: int, *, inside_port: int = SSH_PORT) -> None:
        self._sockets = sockets
        self._sockets.settimeout(HELPER_S)
        self.port = port
        self._inside_port = inside_port
        self._targets: dict[IPv4Address, IPv4Address] = {}
        self._servers: dict[IPv4Address, asyncio.Server] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lab-floating", daemon=True)
        self._thread.start()

    def apply(self, addresses: tuple[FloatingAddress, ...]) -> None:
        """Listen on exactly these; connections that exist go on. Raises LabError if one cannot be listened on."""
        try:
            asyncio.run_coroutine_threadsafe(self._apply(addresses), self._loop).result(HELPER_S)
        except OSError as error:
            raise LabError(f"cannot listen on a floating address: {error}") from error

    def close(self) -> None:
        """Stop listening and hang up."""
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result(HELPER_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(HELPER_S)
        self._loop.close()

    async def _hang_up(self) -> None:
        await self._apply(())
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await asyncio.sleep(0)  # transports are closed in the loop's next round

    async def _apply(self, addresses: tuple[FloatingAddress, ...]) -> None:
        self._targets = {each.floating: each.fixed for each in addresses}
        for floating in self._servers.keys() - self._targets.keys():
            self._servers.pop(floating).close()
        for floating in self._targets.keys() - self._servers.keys():
            self._servers[floating] = await asyncio.start_server(self._connected, str(floating), self.port)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        floating = IPv4Address(writer.get_extra_info("sockname")[0])
        try:
            inside = await self._connect(self._targets[floating])
            try:
                await asyncio.gather(_pump(reader, inside[1]), _pump(inside[0], writer))
            finally:
                inside[1].close()
        except (OSError, KeyError):
            _reset(writer)  # nobody answers there, or the address has just been taken away
        finally:
            writer.close()

    async def _connect(self, target: IPv4Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        connection = self._router_socket()
        try:
            await asyncio.wait_for(self._loop.sock_connect(connection, (str(target), self._inside_port)), CONNECT_S)
            return await asyncio.open_connection(sock=connection)
        except OSError:
            connection.close()
            raise

    def _router_socket(self) -> socket.socket:
        """Ask the router for a socket of its own; it answers at once."""
        self._sockets.send(b"4")
        _, handles, _, _ = socket.recv_fds(self._sockets, 1, 1)
        connection = socket.socket(fileno=handles[0])
        connection.setblocking(False)
        return connection


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        _reset(writer)  # the other direction then ends, too


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
