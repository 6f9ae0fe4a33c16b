"""The HTTP front of the bench: moto's S3, Glue, Lake Formation and Athena, behind the operations of the bench."""

from __future__ import annotations

import io
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.datastructures import Headers
from werkzeug.serving import ThreadedWSGIServer
from werkzeug.test import EnvironBuilder, run_wsgi_app
from werkzeug.wrappers import Request, Response

from athena_bench.callers import CURRENT, caller_of
from athena_bench.faults import HEADER, FaultError, Faults
from athena_bench.policies import action_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Operation = Callable[[dict[str, Any]], dict[str, Any]]
Guard = Callable[[str, dict[str, Any], Operation], dict[str, Any]]
"""Is given what is asked for, the request and the operation, and answers as far as the caller may ask."""

_logger = logging.getLogger(__name__)

ATHENA = "AmazonAthena"
GLUE = "AWSGlue"
LAKE_FORMATION = "AWSLakeFormation"
_SERVICES = {ATHENA: "athena", GLUE: "glue", LAKE_FORMATION: "lakeformation"}

_RESET = "/moto-api/reset"
_SECONDS_TO_FINISH = 5.0
_SLOW_SECONDS = 2.0


class ApiError(Exception):
    """An error that the caller of an operation gets, as botocore's ClientError or the like.

    Args:
        code: the name of the exception in the service's model, such as `EntityNotFoundException`.
        message: a sentence for the caller.
        status: the HTTP status; 400 is the caller's fault, 500 is the bench's.
        fields: further members of the exception, such as `AthenaErrorCode`.
    """

    def __init__(self, code: str, message: str, status: int = 400, **fields: object) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields


class LostAnswerError(Exception):
    """What was asked for is done, and nobody is to hear of it."""


class Server:
    """The AWS APIs of the bench on one port, for one region.

    An operation that is registered answers its calls, everything else goes to moto in the same process. The calls of
    Glue and of Lake Formation run one at a time, as moto keeps their state without locks; so an operation of these
    that reads and then writes is atomic, and must not wait for a query. Those of Athena run side by side. All servers
    of a process share moto's state.

    Args:
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.
        region: the region of the catalog. A call of Glue, Lake Formation or Athena signed for another is refused, as
            it would see another, empty, catalog.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0, region: str = "us-east-1") -> None:
        self.host = host
        self.port = port
        self.region = region
        self._moto = _Dispatcher()
        self.faults = Faults()
        self.guard: Guard = lambda target, request, operation: operation(request)
        self.guard_object: Callable[[str, str], None] = lambda action, arn: None
        self._kill_engine: Callable[[], None] = lambda: None
        self._services = dict(_SERVICES)
        self._operations: dict[str, Operation] = {}
        self._resets: list[Callable[[], None]] = []
        self._catalog_lock = threading.RLock()
        self._storage_lock = threading.RLock()
        self._listener: _Listener | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The endpoint to give to clients, such as `http://127.0.0.1:4566`."""
        return f"http://{self.host}:{self.port}"

    @property
    def targets(self) -> frozenset[str]:
        """The operations that are registered, such as `AWSGlue.GetTable`."""
        return frozenset(self._operations)

    def register(
        self,
        target_prefix: str,
        operations: Mapping[str, Operation],
        reset: Callable[[], None] | None = None,
        signing_name: str | None = None,
    ) -> None:
        """Answer operations of a service by functions instead of by moto.

        Args:
            target_prefix: what the header `X-Amz-Target` begins with, such as `AWSGlue`; the service speaks JSON.
            operations: the function of each operation, by its name, such as `StartQueryExecution`. It takes the
                request and returns the response, both as the members of the service's model; it raises ApiError.
            reset: called when all state is to be forgotten.
            signing_name: the service that its requests are signed for, such as `dms`; Athena, Glue and Lake Formation
                are known.

        Raises:
            ValueError: the service is not known, and its signing name not given.
        """
        if signing_name is not None:
            self._services[target_prefix] = signing_name
        if target_prefix not in self._services:
            raise ValueError(f"The service {target_prefix} is not known: say what its requests are signed for.")
        self._operations.update({f"{target_prefix}.{name}": operation for name, operation in operations.items()})
        if reset is not None:
            self._resets.append(reset)

    def call(self, target: str, request: dict[str, Any]) -> dict[str, Any]:
        """Call an operation as a client would, registered or moto's own, without HTTP.

        Args:
            target: service and operation, such as `AWSGlue.GetTable`.
            request: the members of the request.

        Returns:
            The members of the response; times are seconds since 1970.

        Raises:
            ApiError: the operation refused the request, or is not there.
        """
        operation = self._operations.get(target)
        if operation is None:
            return self.forward(target, request)
        # An operation of Athena may last as long as a query; what it asks the catalog takes the lock itself.
        with nullcontext() if target.startswith(ATHENA) else self._catalog_lock:
            return operation(request)

    def ask(self, target: str, request: dict[str, Any]) -> dict[str, Any]:
        """Call an operation as the caller at work, who is held to what it may do; otherwise as `call`."""
        # As a whole under the lock of the catalog, where the operation itself is.
        with nullcontext() if target.startswith(ATHENA) else self._catalog_lock:
            return self.guard(target, request, lambda asked: self.call(target, asked))

    def forward(self, target: str, request: dict[str, Any]) -> dict[str, Any]:
        """Ask moto, passing by what is registered; otherwise as `call`."""
        prefix, _, name = target.partition(".")
        service = self._services[prefix]
        credential = f"bench/20000101/{self.region}/{service}/aws4_request"
        signature = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"
        headers = Headers({"Authorization": signature})
        if prefix == LAKE_FORMATION:
            path, content_type = f"/{name}", "application/json"
        else:
            path, content_type = "/", "application/x-amz-json-1.1"
            headers["X-Amz-Target"] = target
        environ = EnvironBuilder(
            path, method="POST", headers=headers, content_type=content_type, data=_to_json(request)
        ).get_environ()
        try:
            with self._catalog_lock:
                body, status, response_headers = run_wsgi_app(self._moto, environ, buffered=True)
        except NotImplementedError:
            raise _unknown(target) from None
        code = int(status.split()[0])
        text = b"".join(body).decode()
        if code == 404 and response_headers.get("Content-Type", "").startswith("text/html"):
            raise _unknown(target)
        if code < 300:
            members: dict[str, Any] = json.loads(text or "{}")
            return members
        raise _error_of(code, text)

    def put_object(self, bucket: str, key: str, body: bytes) -> None:
        """Put an object into S3, as a client would, without HTTP.

        Raises:
            ApiError: S3 takes nothing there.
        """
        environ = EnvironBuilder(f"/{bucket}/{quote(key)}", self.url, method="PUT", data=body).get_environ()
        with self._storage_lock:
            chunks, status, _ = run_wsgi_app(self._moto, environ, buffered=True)
        if not status.startswith("200"):
            error = ElementTree.fromstring(b"".join(chunks))
            raise ApiError(str(error.findtext("Code")), f"{error.findtext('Message')}: s3://{bucket}/{key}")

    def on_kill(self, kill: Callable[[], None]) -> None:
        """Say what ends the engine, where a fault is to."""
        self._kill_engine = kill

    def reset(self) -> None:
        """Forget all state: buckets, tables, queries, faults. POST /moto-api/reset does the same."""
        with self._catalog_lock, self._storage_lock:
            self.faults.clear()
            run_wsgi_app(self._moto, EnvironBuilder(_RESET, method="POST").get_environ(), buffered=True)
            for reset in self._resets:
                reset()

    def start(self) -> Self:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        self._listener = _Listener(self.host, self.port, self)
        self.port = self._listener.port
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,), name="aws", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening, hang up on the clients and free the port; the state stays in memory."""
        if self._listener is None or self._thread is None:
            return
        self._listener.shutdown()
        self._thread.join()
        self._listener.hang_up()
        self._listener = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one HTTP request, as a WSGI application whose `wsgi.input` holds just the body."""
        CURRENT.set(caller_of(_credential_of(environ)[0], environ.get("HTTP_X_AMZ_SECURITY_TOKEN")))
        if environ["PATH_INFO"] == _RESET and environ["REQUEST_METHOD"] == "POST":
            self.reset()
            return _json_response({"status": "ok"})(environ, start_response)
        target = _target_of(environ)
        try:
            met = self.faults.of(target or f"S3.{environ['REQUEST_METHOD']}", environ.get(HEADER, ""))
        except FaultError as error:
            return Response(str(error), 400)(environ, start_response)
        if "kill" in met:
            self._kill_engine()
        if "slow" in met:
            threading.Event().wait(_SLOW_SECONDS)
        if refusal := met & {"throttle", "error"}:
            return _refused(target, refusal.pop())(environ, start_response)
        answer = self._done(target, environ, start_response)
        if "lost" in met:
            raise LostAnswerError
        return answer

    def _done(self, target: str | None, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if target is None or not (target in self._operations or target.partition(".")[0] in _SERVICES):
            return self._store(environ, start_response)
        return self._answer(target, environ)(environ, start_response)

    def _answer(self, target: str, environ: WSGIEnvironment) -> Response:
        try:
            self._check_region(environ)
            return _json_response(self.ask(target, json.loads(Request(environ).get_data() or b"{}")))
        except ApiError as error:
            refusal = error
        except Exception as error:
            _logger.exception("%s failed", target)
            refusal = ApiError("InternalServerException", f"{target} failed: {error!r}", 500)
        members = {"__type": refusal.code, "message": refusal.message, "Message": refusal.message, **refusal.fields}
        response = _json_response(members, refusal.status)
        response.headers["x-amzn-errortype"] = refusal.code
        return response

    def _store(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # Writes run one at a time: moto looks at If-None-Match and then writes, and two could both find nothing there.
        # A listing, which has no key in its path, walks through all keys, and none may go meanwhile.
        try:
            if action := action_of(environ):
                self.guard_object(*action)
        except ApiError as error:
            text = f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
            return Response(text, error.status, content_type="application/xml")(environ, start_response)
        reads_object = environ["REQUEST_METHOD"] in ("GET", "HEAD") and "/" in environ["PATH_INFO"].strip("/")
        try:
            with nullcontext() if reads_object else self._storage_lock:
                body, status, headers = run_wsgi_app(self._moto, environ, buffered=True)
        except Exception as error:
            _logger.exception("%s %s failed", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            text = f"<Error><Code>InternalError</Code><Message>{escape(repr(error))}</Message></Error>"
            return Response(text, 500, content_type="application/xml")(environ, start_response)
        start_response(status, list(headers))
        return body

    def _check_region(self, environ: WSGIEnvironment) -> None:
        scope = _scope_of(environ)
        if scope is not None and scope[0] != self.region:
            raise ApiError(
                "InvalidSignatureException",
                f"This bench serves {self.region}, the request is signed for {scope[0]}: set AWS_REGION={self.region}.",
                403,
            )


class _Dispatcher(DomainDispatcherApplication):
    """Moto's, which would look through the folder of its services anew at every request."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self._backends: dict[str | None, str | None] = {}

    def get_backend_for_host(self, host: str | None) -> str | None:
        if host not in self._backends:
            self._backends[host] = super().get_backend_for_host(host)
        return self._backends[host]


class _Listener(ThreadedWSGIServer):
    """A thread for each connection, all of which end with the server."""

    daemon_threads = True

    def __init__(self, host: str, port: int, app: Server) -> None:
        self.connections: dict[threading.Thread, socket.socket] = {}
        # werkzeug would print and exit the process where the port is taken.
        with socket.create_server((host, port), backlog=128) as listening:
            super().__init__(host, port, app, _RequestHandler, fd=listening.fileno())

    def hang_up(self) -> None:
        """End the connections that clients keep open, after the answer that is under way."""
        for thread, connection in list(self.connections.items()):
            try:
                connection.shutdown(socket.SHUT_RD)
            except OSError:
                continue  # the client was faster
            thread.join(_SECONDS_TO_FINISH)


class _RequestHandler(MotoRequestHandler):
    """Keeps connections open, which werkzeug does not: it waits 10 ms after each answer, and closes."""

    server: _Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.server.connections[threading.current_thread()] = self.connection

    def finish(self) -> None:
        del self.server.connections[threading.current_thread()]
        super().finish()

    def run_wsgi(self) -> None:
        environ = self.make_environ()
        if environ.get("wsgi.input_terminated"):
            body = environ["wsgi.input"].read()
        else:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            body = environ["wsgi.input"].read(length)
            if len(body) < length:  # the client went away: half an object must not be stored
                self.close_connection = True
                return
        environ["wsgi.input"] = io.BytesIO(body)
        try:
            chunks, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        except LostAnswerError:
            self.close_connection = True
            return
        answer = b"".join(chunks)
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        if self.command != "HEAD":  # whose length is that of the object
            headers.remove("Content-Length")
            if code not in ("204", "304"):
                headers["Content-Length"] = str(len(answer))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        _logger.debug("%s %s %s %s", self.command, self.path, self.headers.get("X-Amz-Target", ""), code)


def _scope_of(environ: WSGIEnvironment) -> tuple[str, str] | None:
    """Region and service that the request is signed for; None for a request without a signature in its headers."""
    parts = _credential_of(environ)
    return (parts[-3], parts[-2]) if len(parts) >= 5 else None


def _credential_of(environ: WSGIEnvironment) -> list[str]:
    """Access key, day, region, service and an end, that the request is signed with."""
    return str(environ.get("HTTP_AUTHORIZATION", "")).partition("Credential=")[2].split(",")[0].split("/")


def _target_of(environ: WSGIEnvironment) -> str | None:
    """The operation asked for, such as `AWSGlue.GetTable`; None where the service does not speak so."""
    target: str | None = environ.get("HTTP_X_AMZ_TARGET")
    if target is not None:
        return target
    scope = _scope_of(environ)
    if scope is not None and scope[1] == _SERVICES[LAKE_FORMATION]:  # has a path an operation instead
        return f"{LAKE_FORMATION}.{environ['PATH_INFO'].strip('/')}"
    return None


def _refused(target: str | None, kind: str) -> Response:
    """The answer of a service that has too much to do, or that fails."""
    throttled = kind == "throttle"
    if target is None:
        code, status = ("SlowDown", 503) if throttled else ("InternalError", 500)
        text = f"<Error><Code>{code}</Code><Message>A fault on demand.</Message></Error>"
        return Response(text, status, content_type="application/xml")
    if not throttled:
        code, status = "InternalServerException", 500
    else:
        code, status = ("TooManyRequestsException" if target.startswith(ATHENA) else "ThrottlingException"), 400
    response = _json_response(
        {"__type": code, "message": "A fault on demand.", "Message": "A fault on demand."}, status
    )
    response.headers["x-amzn-errortype"] = code
    return response


def _unknown(target: str) -> ApiError:
    return ApiError("UnknownOperationException", f"The bench has no operation {target}.")


def _error_of(status: int, text: str) -> ApiError:
    """The error in an answer of moto."""
    try:
        members = json.loads(text)
        code, message = members.pop("__type"), members.pop("message", None) or members.pop("Message", "")
    except (ValueError, KeyError, AttributeError):
        return ApiError("InternalServerException", text, status)
    return ApiError(code.rpartition("#")[2], message, status, **members)


def _to_json(members: Mapping[str, Any]) -> str:
    return json.dumps(members, default=_plain)


def _json_response(members: Mapping[str, Any], status: int = 200) -> Response:
    return Response(_to_json(members), status, content_type="application/x-amz-json-1.1")


def _plain(value: object) -> float:
    """A time as AWS JSON writes it: seconds since 1970."""
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"An answer holds {value!r}, which AWS JSON cannot carry.")
