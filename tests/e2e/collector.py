"""A collector of spans on loopback: OTLP over HTTP, decoded by OpenTelemetry's own messages."""

import http.server
import threading
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TIMEOUT_SECONDS = 30
POLL_SECONDS = 0.02


class Span:
    """A span with the program that made it; ids in hexadecimal digits."""

    def __init__(self, span, resource):
        self.service = resource["service.name"]
        self.name, self.kind = span.name, span.kind
        self.trace_id, self.id, self.parent_id = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
        self.attributes = values(span.attributes)
        self.start, self.end = span.start_time_unix_nano, span.end_time_unix_nano
        self.failed = span.status.code == span.status.STATUS_CODE_ERROR


def values(attributes):
    return {attribute.key: attribute.value.string_value for attribute in attributes}


class Collector:
    """Keeps what it is sent; use it as a context manager."""

    def __init__(self):
        self.spans, self.headers = [], []
        self.is_down = False

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(handler):
                body = handler.rfile.read(int(handler.headers["Content-Length"]))
                assert handler.path == "/v1/traces", handler.path
                assert handler.headers["Content-Type"] == "application/x-protobuf"
                if not self.is_down:
                    self.headers.append(dict(handler.headers))
                    self._take(ExportTraceServiceRequest.FromString(body))
                handler.send_response(503 if self.is_down else 200)
                handler.send_header("Content-Length", "0")
                handler.end_headers()

            def log_message(handler, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def _take(self, request):
        for of_program in request.resource_spans:
            resource = values(of_program.resource.attributes)
            for scope in of_program.scope_spans:
                self.spans += [Span(span, resource) for span in scope.spans]

    def await_span(self, name):
        """The first span of this name, once it is there."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not (found := self.named(name)):
            assert time.monotonic() < deadline, f"no span {name}, but {[span.name for span in self.spans]}"
            time.sleep(POLL_SECONDS)
        return found[0]

    def named(self, name):
        return [span for span in list(self.spans) if span.name == name]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
