"""A gRPC server without protoc: messages are bytes. Arguments: its address, a file that says how it is, and, for TLS,
a certificate and its key."""

import sys
import time
from concurrent import futures

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc


def metadata(context, key):
    return dict(context.invocation_metadata()).get(key)


def unary(request, context):
    if request == b"fail":
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "as you like")
    if request == b"slow":
        time.sleep(3)
    if request == b"deadline":
        return b"%d" % round(context.time_remaining() or 0)
    context.send_initial_metadata((("x-initial", metadata(context, "x-sent") or "none"),))
    context.set_trailing_metadata((("x-trailing", "1"),))
    return b"unary:" + request


def server_streaming(request, context):
    for number in range(int(request)):
        yield b"%d" % number


def client_streaming(requests, context):
    return b"+".join(requests)


def bidi(requests, context):
    for request in requests:
        yield b"echo:" + request


class Handlers(grpc.GenericRpcHandler):
    HANDLERS = {
        "/test.Echo/Unary": grpc.unary_unary_rpc_method_handler(unary),
        "/test.Echo/ServerStreaming": grpc.unary_stream_rpc_method_handler(server_streaming),
        "/test.Echo/ClientStreaming": grpc.stream_unary_rpc_method_handler(client_streaming),
        "/test.Echo/Bidi": grpc.stream_stream_rpc_method_handler(bidi),
    }

    def service(self, details):
        return self.HANDLERS.get(details.method)


class Health(health_pb2_grpc.HealthServicer):
    def Check(self, request, context):
        if request.service not in ("", "test.Echo"):
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown")
        with open(sys.argv[2]) as file:
            status = file.read().strip()
        return health_pb2.HealthCheckResponse(status=status)


server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), handlers=[Handlers()])
health_pb2_grpc.add_HealthServicer_to_server(Health(), server)
if len(sys.argv) > 3:
    with open(sys.argv[3], "rb") as certificate, open(sys.argv[4], "rb") as key:
        credentials = grpc.ssl_server_credentials([(key.read(), certificate.read())])
    server.add_secure_port(sys.argv[1], credentials)
else:
    server.add_insecure_port(sys.argv[1])
server.start()
server.wait_for_termination()
