"""A server that speaks the streaming half of the chat completions API, and says one text to everybody."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@contextmanager
def chat_server(text: str) -> Iterator[str]:
    """Serve `text`, streamed word by word, while the block runs; yields the base URL to give to a client."""

    class Handler(_ChatHandler):
        words = text.split(" ")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _ChatHandler(BaseHTTPRequestHandler):
    words: list[str]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path != "/v1/chat/completions" or not asked.get("stream"):
            self.send_error(404, "only streaming chat completions are served here")
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for event in self._events(asked["model"]):
            self.wfile.write(f"data: {event}\n\n".encode())

    def _events(self, model: str) -> Iterator[str]:
        yield _chunk(model, {"role": "assistant", "content": ""})
        for at, word in enumerate(self.words):
            yield _chunk(model, {"content": " " * bool(at) + word})
        yield _chunk(model, {}, finish_reason="stop")
        yield "[DONE]"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the example's output is the model's alone."""


def _chunk(model: str, delta: dict[str, str], finish_reason: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 0, "model": model}
    return json.dumps({**head, "choices": [choice]})
