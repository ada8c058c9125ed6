"""A page in a browser that shows a game as it is played, served by this machine to itself alone."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from atari_dqn.errors import UsageError

HOST = "127.0.0.1"
MOST_PICTURES = 30  # a second
BOUNDARY = "picture"
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ margin: 0; height: 100vh; display: grid; place-items: center; background: #10131a; }}
img {{ max-width: 100vw; max-height: 100vh; }}
p {{ position: fixed; top: 0; margin: 1em; color: #e6e9f0; font: 16px sans-serif; }}</style></head>
<body><img src="/pictures" alt="{title}">
<p hidden>This has ended: the picture is its last one. The page goes on if it is started again at this port.</p>
<script>
const ended = document.querySelector("p");
setInterval(() => fetch("/", {{ cache: "no-store" }}).then(
  () => {{ if (!ended.hidden) location.reload(); }},
  () => {{ ended.hidden = false; }}), 2000);
</script></body></html>
"""


class Page:
    """A page at `address` whose one picture is replaced again and again, by PNGs, so each colour is the game's own.

    Where a game has more than 30 frames a second, two of them become their brighter pixels: sprites flicker.

    Args:
      title: of the page.
      fps:   pictures a second that `add` is given.
      port:  to serve at; 0 for any that is free.

    Raises:
      UsageError: the port is taken.
    """

    def __init__(self, title: str, fps: int, port: int = 0) -> None:
        self.closed = False
        self._title, self._fps, self._each = title, fps, 2 if fps > MOST_PICTURES else 1
        self._picture: np.ndarray | None = None
        self._pictures: list[np.ndarray] = []  # that are to become one
        self._number = 0
        self._changed = threading.Condition()
        self._due = time.monotonic()
        try:
            self._server = ThreadingHTTPServer((HOST, port), self._handler())
        except OSError as error:
            raise UsageError(
                f"port {port} cannot be served ({error.strerror}); choose another --port, or 0 for any that is free"
            ) from error
        self.address = f"http://{HOST}:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def add(self, picture: np.ndarray) -> None:
        """See `Film`. Returns when it is time for the next picture."""
        self._pictures.append(picture)
        if len(self._pictures) == self._each:
            shown = np.maximum.reduce(self._pictures)
            self._pictures.clear()
            with self._changed:
                self._picture, self._number = shown, self._number + 1
                self._changed.notify_all()
        now = time.monotonic()
        self._due = max(self._due + 1 / self._fps, now - 1 / self._fps)  # a pause is not made up for
        time.sleep(max(0.0, self._due - now))

    def next_episode(self) -> bool:
        """See `Screen`."""
        return False

    def close(self) -> None:
        """Serve no more."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _newer(self, seen: int) -> tuple[int, np.ndarray] | None:
        """The newest picture and its number, once there is another one than `seen`; None if there comes no more."""
        with self._changed:
            self._changed.wait_for(lambda: self.closed or self._number > seen)
            return None if self.closed or self._picture is None else (self._number, self._picture)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with suppress(ConnectionError):  # the browser has gone
                    if self.path == "/":
                        self._send(PAGE.format(title=escape(page._title)).encode())
                    elif self.path == "/pictures":
                        self._stream()
                    else:
                        self.send_error(404)

            def _send(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _stream(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(f"--{BOUNDARY}\r\n".encode())
                seen = 0
                while found := page._newer(seen):
                    seen, picture = found
                    png = _png(picture)
                    head = f"Content-Type: image/png\r\nContent-Length: {len(png)}\r\n\r\n"
                    # a browser shows a picture when the boundary behind it has come
                    self.wfile.write(head.encode() + png + f"\r\n--{BOUNDARY}\r\n".encode())

            def log_message(self, *words: object) -> None:
                pass

        return Handler


def _png(picture: np.ndarray) -> bytes:
    import cv2

    _, png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return png.tobytes()
