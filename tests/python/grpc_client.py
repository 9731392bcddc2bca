"""Calls test.Echo at the address that is given, in every shape, and says what went wrong. Arguments: an address,
and whether the service is there (`good`), has no route (`unrouted`) or no server (`down`)."""

import sys
import threading

import grpc

channel = grpc.insecure_channel(sys.argv[1])
unary = channel.unary_unary("/test.Echo/Unary")
server_streaming = channel.unary_stream("/test.Echo/ServerStreaming")
client_streaming = channel.stream_unary("/test.Echo/ClientStreaming")
bidi = channel.stream_stream("/test.Echo/Bidi")


def code_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error.code(), error.details()
    return None, None


def good():
    answer, call = unary.with_call(b"a", timeout=10, metadata=(("x-sent", "yes"),))
    assert answer == b"unary:a", answer
    assert dict(call.initial_metadata())["x-initial"] == "yes"
    assert dict(call.trailing_metadata())["x-trailing"] == "1"
    assert unary(b"x" * 3_000_000, timeout=20) == b"unary:" + b"x" * 3_000_000
    assert code_of(lambda: unary(b"fail", timeout=10)) == (grpc.StatusCode.FAILED_PRECONDITION, "as you like")
    assert code_of(lambda: unary(b"slow", timeout=0.5))[0] == grpc.StatusCode.DEADLINE_EXCEEDED
    assert int(unary(b"deadline", timeout=17)) in (16, 17)
    assert list(server_streaming(b"1000", timeout=20)) == [b"%d" % n for n in range(1000)]
    assert client_streaming(iter([b"a", b"b", b"c"]), timeout=10) == b"a+b+c"

    # One answer to each request before the next request is made.
    answered = threading.Semaphore(1)

    def requests():
        for number in range(100):
            assert answered.acquire(timeout=10)
            yield b"%d" % number

    for number, answer in enumerate(bidi(requests(), timeout=30)):
        assert answer == b"echo:%d" % number, answer
        answered.release()
    assert number == 99, number
    missing = channel.unary_unary("/test.Echo/Missing")
    assert code_of(lambda: missing(b"", timeout=10))[0] == grpc.StatusCode.UNIMPLEMENTED


def unrouted():
    assert code_of(lambda: unary(b"a", timeout=10))[0] == grpc.StatusCode.UNIMPLEMENTED


def down():
    code, details = code_of(lambda: unary(b"a", timeout=10))
    assert code == grpc.StatusCode.UNAVAILABLE, code
    assert details, "a cause"


{"good": good, "unrouted": unrouted, "down": down}[sys.argv[2]]()
