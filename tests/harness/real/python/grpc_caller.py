"""Calls every method of grpc_upstream.py once and prints what came, as JSON.

Argument: {"target": HOST:PORT, "roots": PEM file, "certificate", "key": PEM files or null,
           "name": the name the server's certificate has, "metadata": {NAME: VALUE}}
"""
import json
import sys

import grpc

asked = json.loads(sys.argv[1])
read = lambda name: open(asked[name], "rb").read() if asked.get(name) else None
proof = grpc.ssl_channel_credentials(read("roots"), read("key"), read("certificate"))
options = (("grpc.ssl_target_name_override", asked["name"]), ("grpc.enable_http_proxy", 0))
metadata = tuple(asked.get("metadata", {}).items())
how = {"metadata": metadata, "timeout": 20}


def told(call):
    """What a call gave, or the status and text it was refused with."""
    try:
        return call()
    except grpc.RpcError as error:
        return {"code": error.code().name, "text": error.details()}


with grpc.secure_channel(asked["target"], proof, options) as channel:
    path = "/old.Echo/"

    def unary():
        answer, call = channel.unary_unary(path + "Unary").with_call(b"hello", **how)
        trailers = {name: text if isinstance(text, str) else text.hex() for name, text in call.trailing_metadata()}
        return {"gave": answer.decode(), "trailers": trailers}

    def stream():
        return {"gave": [part.decode() for part in channel.unary_stream(path + "Stream")(b"5", **how)]}

    def collect():
        return {"gave": channel.stream_unary(path + "Collect")(iter([b"x" * 100_000] * 20), **how).decode()}

    def chat():
        return {"gave": [part.decode() for part in channel.stream_stream(path + "Chat")(iter([b"a", b"b", b"c"]), **how)]}

    def refuse():
        return {"gave": channel.unary_unary(path + "Refuse")(b"no", **how).decode()}

    print(json.dumps({call.__name__: told(call) for call in (unary, stream, collect, chat, refuse)}))
