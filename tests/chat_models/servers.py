"""A server on this machine that speaks as the providers of chat models do, for the clients that people use."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Literal

from headrace.chat_models import BaseChatModel, init_chat_model
from tests.chat_models.wires import WIRES, Answer, Json, ToolCall, Wire

__all__ = ["Answer", "ProviderServer", "Request", "ToolCall"]

Provider = Literal["openai", "anthropic"]
PROVIDERS: tuple[Provider, ...] = ("openai", "anthropic")

MODELS = {"openai": "openai:gpt-test", "anthropic": "anthropic:claude-test"}
"""Names that no client can know, so that none warns of their age."""

Reply = str | Answer | Callable[[Json], str | Answer]
"""A string is a text; a function is given the body of the request."""


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: Json
    left: Event = field(default_factory=Event)
    """Set when the client was seen to leave before its answer was whole."""


class ProviderServer:
    """Answers OpenAI's and Anthropic's clients with `replies`, in the order in which their requests come.

        with ProviderServer("Hello there", Answer(tool_calls=[ToolCall("weather", {"city": "Rome"})])) as server:
            model = server.model("openai")  # or any client, with server.openai_url and server.anthropic_url
            model.invoke("hi")
            assert server.requests[0].body["messages"][0]["content"] == "hi"

    Both providers draw from the same replies, and where several requests are under way at once a function tells by
    the body which is which. A request too many is refused with status 400 and an error that says so. Each answer
    closes its connection, so clients keep none from one event loop to the next. Leaving the `with` block cuts off
    whoever is still waiting.
    """

    def __init__(self, *replies: Reply) -> None:
        self.requests: list[Request] = []
        self._replies = replies
        self._lock = Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> ProviderServer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.cut_off()
        self._server.server_close()
        self._thread.join()

    @property
    def openai_url(self) -> str:
        """The `base_url` of OpenAI's clients."""
        return f"{self.anthropic_url}/v1"

    @property
    def anthropic_url(self) -> str:
        """The `base_url` of Anthropic's clients."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def model(self, provider: Provider, **options: Any) -> BaseChatModel:
        """A provider's chat model that talks to this server, does not retry, and reports its usage."""
        if provider == "openai":
            options = {"base_url": self.openai_url, "stream_usage": True, **options}
        else:
            options = {"base_url": self.anthropic_url, **options}
        model: BaseChatModel = init_chat_model(MODELS[provider], **{"api_key": "none", "max_retries": 0, **options})
        return model

    def _answer(self, request: Request) -> tuple[int, Answer]:
        """The number of this request, from one, and what it is told."""
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
        if number > len(self._replies):
            return number, Answer(f"the server has {len(self._replies)} replies and was asked once more", status=400)
        reply = self._replies[number - 1]
        if callable(reply):
            reply = reply(request.body)
        return number, Answer(reply) if isinstance(reply, str) else reply


class _Server(ThreadingHTTPServer):
    owner: ProviderServer
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, *args: Any) -> None:
        self.open: set[socket.socket] = set()
        super().__init__(*args)

    def cut_off(self) -> None:
        """Wake the threads that wait for their clients, so that they end."""
        for connection in [*self.open]:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Tests are quiet."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        request = Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        number, answer = self.server.owner._answer(request)
        wire = WIRES[self.path.partition("?")[0]]
        if answer.status != 200:
            self.send_json(answer.status, wire.refusal(answer.text))
        elif body.get("stream"):
            self.send_stream(request, wire, answer, number)
        else:
            self.send_json(200, wire.whole(answer, body, number))

    def send_json(self, status: int, data: Json) -> None:
        text = json.dumps(data).encode()
        self.head(status, {"Content-Type": "application/json", "Content-Length": str(len(text))})
        self.wfile.write(text)

    def send_stream(self, request: Request, wire: Wire, answer: Answer, number: int) -> None:
        self.head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        count = 0
        try:
            for part in (wire.content, wire.end):
                for event in part(answer, request.body, number):
                    if answer.pace is not None:
                        answer.pace(count)
                    self.send_chunk(event)
                    count += 1
                if answer.ending not in ("whole", "limit"):
                    return self.break_off(request, wire, answer)
            self.send_chunk(b"")
        except OSError:
            request.left.set()

    def break_off(self, request: Request, wire: Wire, answer: Answer) -> None:
        """End a stream as the answer says, after its content."""
        if answer.ending == "error":
            self.send_chunk(wire.failure())
        if answer.ending in ("error", "stop"):
            self.send_chunk(b"")
        elif answer.ending == "silence":
            self.connection.recv(1)
            request.left.set()

    def send_chunk(self, data: bytes) -> None:
        """One chunk of the body; the empty one ends it, and without that one the client knows it was cut off."""
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
