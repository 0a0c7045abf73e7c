"""TCP proxy that notes how many bytes have passed in each direction, ten times a second.

    proxy.py HOST:PORT LOG [BUFFER]

Prints its own URL, and appends lines `SECONDS UP DOWN` to LOG: bytes from clients and to clients since the start. BUFFER
sets the size of the receive buffers in bytes: what the sender's system has sent but the proxy has not read counts late.
"""

import asyncio
import socket
import sys
import time

passed = {"up": 0, "down": 0}


async def copy(reader, writer, way):
    try:
        while data := await reader.read(65536):
            passed[way] += len(data)
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()


def listener(buffer):
    sock = socket.socket()
    if buffer:
        # Before listen: accepted connections inherit it.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    sock.bind(("127.0.0.1", 0))
    return sock


async def upstream(address, buffer):
    sock = socket.socket()
    sock.setblocking(False)
    if buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    await asyncio.get_running_loop().sock_connect(sock, address)
    return await asyncio.open_connection(sock=sock, limit=65536)


async def main(to, log, buffer=0):
    host, port = to.rsplit(":", 1)

    async def serve(reader, writer):
        there, back = await upstream((host, int(port)), buffer)
        await asyncio.gather(copy(reader, back, "up"), copy(there, writer, "down"))
        writer.close()
        back.close()

    server = await asyncio.start_server(serve, sock=listener(buffer), limit=65536)
    print("http://%s:%s" % server.sockets[0].getsockname(), flush=True)
    with open(log, "a", buffering=1) as lines:
        while True:
            lines.write("%.3f %d %d\n" % (time.monotonic(), passed["up"], passed["down"]))
            await asyncio.sleep(0.1)


asyncio.run(main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])))
