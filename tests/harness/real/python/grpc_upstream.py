"""A gRPC service that knows only user names and passwords: Basic, in the call's metadata.

Arguments: PORT [CERTIFICATE KEY]. Messages are plain bytes. Every answer's trailers name the user.
"""
import base64
import sys
from concurrent import futures

import grpc


def user_of(context):
    found = dict(context.invocation_metadata()).get("authorization", "")
    if not found.startswith("Basic "):
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "log in")
    user = base64.b64decode(found[6:]).decode().split(":")[0]
    context.set_trailing_metadata((("x-user", user), ("x-trace-bin", b"\x00\xff")))


def unary(request, context):
    user_of(context)
    return request


def stream(request, context):
    user_of(context)
    for number in range(int(request)):
        yield str(number).encode()


def collect(requests, context):
    user_of(context)
    return str(sum(len(request) for request in requests)).encode()


def chat(requests, context):
    user_of(context)
    yield from requests


def refuse(request, context):
    user_of(context)
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "as it was told: " + request.decode())


methods = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Stream": grpc.unary_stream_rpc_method_handler(stream),
    "Collect": grpc.stream_unary_rpc_method_handler(collect),
    "Chat": grpc.stream_stream_rpc_method_handler(chat),
    "Refuse": grpc.unary_unary_rpc_method_handler(refuse),
}
port, *files = sys.argv[1:]
server = grpc.server(futures.ThreadPoolExecutor(8))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("old.Echo", methods),))
if files:
    certificate, key = (open(name, "rb").read() for name in files)
    server.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials([(key, certificate)]))
else:
    server.add_insecure_port(f"127.0.0.1:{port}")
server.start()
server.wait_for_termination()
