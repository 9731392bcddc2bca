"""Sends back whatever comes, message by message, at the address that is given."""

import sys

from websockets.sync.server import serve


def echo(connection):
    for message in connection:
        connection.send(message)


host, port = sys.argv[1].rsplit(":", 1)
with serve(echo, host, int(port), max_size=None) as server:
    server.serve_forever()
