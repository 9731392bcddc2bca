"""Talks to an echo by WebSocket: small, large and fragmented messages, pings, and an orderly end. Arguments: the
address, and for `wss` the file of the authority that is believed."""

import os
import ssl
import sys

from websockets.sync.client import connect

trust = ssl.create_default_context(cafile=sys.argv[2]) if len(sys.argv) > 2 else None
with connect(sys.argv[1], ssl=trust, max_size=None, open_timeout=15, close_timeout=15) as connection:
    for message in ["", "hello", "\N{SNOWMAN}" * 1000, b"\x00\xff" * 70_000, os.urandom(5 << 20)]:
        connection.send(message)
        assert connection.recv(timeout=20) == message, len(message)
    fragments = [os.urandom(1 + size * 13) for size in range(300)]
    connection.send(fragments)
    assert connection.recv(timeout=20) == b"".join(fragments)
    assert connection.ping().wait(15), "no pong"
    # Many messages under way at once.
    for number in range(1000):
        connection.send(str(number))
    assert [connection.recv(timeout=20) for _ in range(1000)] == [str(number) for number in range(1000)]
assert connection.close_code == 1000, connection.close_code
