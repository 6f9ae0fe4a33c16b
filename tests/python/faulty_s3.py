"""moto's S3 over HTTP, whose answers fail on purpose: refused, failed, or done with the answer lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from threading import Lock, Thread
from typing import Any

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Response


class Fault(Enum):
    """What becomes of a request."""

    throttled = (503, "SlowDown", False)
    failed = (500, "InternalError", False)
    lost = (500, "InternalError", True)
    expired = (400, "ExpiredToken", False)

    def __init__(self, status: int, code: str, is_done: bool) -> None:
        self.status = status
        self.code = code
        self.is_done = is_done


class FaultyS3:
    """The server; `choose` says for each request which fault it meets, or None."""

    def __init__(self) -> None:
        self.choose: Callable[[], Fault | None] = lambda: None
        self._app = DomainDispatcherApplication(create_backend_app)
        self._turn = Lock()
        self.server: BaseWSGIServer = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Silent)

    def client(self) -> Any:
        """Return a client that tries each request once."""
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.server.port}",
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        fault = self.choose()
        if fault is None:
            return self._ask(environ)(environ, start_response)
        if fault.is_done:
            self._ask(environ)
        else:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        text = f"<Error><Code>{fault.code}</Code><Message>on purpose</Message></Error>"
        return Response(text, fault.status, content_type="application/xml")(environ, start_response)

    def _ask(self, environ: dict[str, Any]) -> Response:
        """Ask moto, one request at a time: it looks at If-None-Match and then writes, which S3 does in one."""
        with self._turn:
            return Response.from_app(self._app, environ, buffered=True)


class _Silent(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        pass


@contextmanager
def faulty_s3() -> Iterator[FaultyS3]:
    s3 = FaultyS3()
    thread = Thread(target=s3.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield s3
    finally:
        s3.server.shutdown()
        s3.server.server_close()
        thread.join()
