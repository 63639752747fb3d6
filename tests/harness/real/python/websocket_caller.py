"""Opens a WebSocket, exchanges text, a megabyte and a ping, closes, and prints what came, as JSON.

Argument: {"url": wss://…, "certificate", "key": PEM files or null, "headers": {NAME: VALUE},
           "stay": seconds to keep exchanging messages, 0 for one round}
"""
import asyncio
import json
import ssl
import sys
import time

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus


async def main():
    asked = json.loads(sys.argv[1])
    tls = None
    if asked["url"].startswith("wss:"):
        # An SVID has no host name to check; who the server is, is not what this caller tests.
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        if asked.get("certificate"):
            tls.load_cert_chain(asked["certificate"], asked["key"])
    told = {"greeting": None, "echoed": 0, "closed": None, "status": None}
    began = time.monotonic()
    try:
        headers = asked.get("headers", {})
        async with connect(asked["url"], ssl=tls, additional_headers=headers, proxy=None, max_size=None) as socket:
            told["greeting"] = await socket.recv()
            while told["echoed"] == 0 or time.monotonic() - began < asked.get("stay", 0):
                for message in ("text \u2014 more", b"\x00\xff" * 500_000):
                    await socket.send(message)
                    assert await socket.recv() == message
                    told["echoed"] += 1
                await (await socket.ping())
                if asked.get("stay", 0):
                    await asyncio.sleep(0.1)
            await socket.close()
            told["closed"] = socket.close_code
    except ConnectionClosed as ended:
        told["closed"] = ended.rcvd.code if ended.rcvd else None
    except InvalidStatus as refused:
        told["status"] = refused.response.status_code
    told["seconds"] = time.monotonic() - began
    print(json.dumps(told))


asyncio.run(asyncio.wait_for(main(), 120))
