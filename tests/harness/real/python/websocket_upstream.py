"""A WebSocket service that knows only user names and passwords: greets the user, then echoes.

Arguments: PORT [CERTIFICATE KEY].
"""
import asyncio
import base64
import http
import ssl
import sys

from websockets.asyncio.server import serve


def let_in(connection, request):
    found = request.headers.get("Authorization", "")
    if not found.startswith("Basic "):
        return connection.respond(http.HTTPStatus.UNAUTHORIZED, "log in\n")
    connection.user = base64.b64decode(found[6:]).decode().split(":")[0]


async def echo(connection):
    await connection.send("hello " + connection.user)
    async for message in connection:
        await connection.send(message)


async def main():
    port, *files = sys.argv[1:]
    tls = None
    if files:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*files)
    async with serve(echo, "127.0.0.1", int(port), ssl=tls, process_request=let_in, max_size=None) as server:
        await server.serve_forever()


asyncio.run(main())
