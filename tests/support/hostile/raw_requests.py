"""Requests that no client would send, byte by byte, and what a server may make of them.

Each case is a first request, followed on the same connection by a marked one. A server may refuse
the first, or take it as exactly one request; whatever is hidden in it must reach nobody. The
ideas are those of gunicorn's list of invalid requests and of published work on smuggling.
"""

import json
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

TIMEOUT = 30.0
SILENCE = 1.0
"""Seconds without a byte after which no answer is expected any more."""
HIDDEN = b"GET /hidden?case=hidden HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: hidden\r\n\r\n"
PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Answer:
    """One answer on a connection."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def marked(self) -> bool:
        """Whether this answers a request to /healthz, and so the marked one."""
        return self.status == 200 and b'"status"' in self.body


def exchange(port: int, data: bytes, silence: float = SILENCE) -> list[Answer]:
    """Send bytes; return the answers that came until the server closed or was silent."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as connection:
        try:
            connection.sendall(data)
            connection.settimeout(silence)
            while chunk := connection.recv(65536):
                received += chunk
        except (TimeoutError, ConnectionError):
            pass
    return list(_answers(received))


def _answers(data: bytes) -> Sequence[Answer]:
    found = []
    while data.startswith(b"HTTP/"):
        head, _, data = data.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        status = int(line.split(" ")[1])
        pairs = (each.partition(":") for each in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        length = int(headers.get("content-length", "0"))
        body, data = data[:length], data[length:]
        if status != 100:
            found.append(Answer(status, headers, body))
    if data:  # HTTP/0.9, or what follows an answer without belonging to one
        found.append(Answer(0, {}, data))
    return found


def first(
    path: str, name: str, *headers: bytes, body: bytes = b"", line: bytes | None = None
) -> bytes:
    """Build the first request of a case: a POST with these headers, or another request line."""
    target = f"{path}?case=first-{name}".encode()
    head = [
        line or b"POST " + target + b" HTTP/1.1",
        b"Host: localhost",
        b"Content-Type: text/plain",
        f"X-Request-ID: first-{name}".encode(),
        *headers,
    ]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def marked(name: str) -> bytes:
    """Build the request that follows, and ends the connection."""
    return (
        f"GET /healthz?case=marked-{name} HTTP/1.1\r\nHost: localhost\r\n"
        f"X-Request-ID: marked-{name}\r\nConnection: close\r\n\r\n"
    ).encode()


CHUNKED = b"Transfer-Encoding: chunked"
ENDED = b"0\r\n\r\n"
LENGTH = b"Content-Length: %d" % len(HIDDEN)
IN_A_CHUNK = b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)


def _framing() -> dict[str, tuple[list[bytes], bytes]]:
    """Return headers and bodies that servers may take for bodies of different lengths."""
    length_first = b"Content-Length: %d" % len(ENDED + HIDDEN)
    cases: dict[str, tuple[list[bytes], bytes]] = {
        "cl-te": ([length_first, CHUNKED], ENDED + HIDDEN),
        "te-cl": ([CHUNKED, b"Content-Length: 4"], IN_A_CHUNK),
        "te-te": ([CHUNKED, b"Transfer-Encoding: x"], IN_A_CHUNK),
        "te-te-same": ([CHUNKED, CHUNKED], IN_A_CHUNK),
        "te-in-a-chunk": ([CHUNKED], IN_A_CHUNK),
        "cl-in-the-body": ([LENGTH], HIDDEN),
        "cl-same-twice": ([LENGTH, LENGTH], HIDDEN),
        "cl-other-twice": ([LENGTH, b"Content-Length: 0"], HIDDEN),
        "cl-too-large": ([b"Content-Length: 9999"], HIDDEN),
    }
    obscured = {
        "x": b"Transfer-Encoding: xchunked",
        "space": b"Transfer-Encoding : chunked",
        "tab": b"Transfer-Encoding\t: chunked",
        "vt": b"Transfer-Encoding:\x0bchunked",
        "nul": b"Transfer-Encoding: chunked\x00",
        "folded": b"Transfer-Encoding:\r\n chunked",
        "folded-later": b"X: x\r\n Transfer-Encoding: chunked",
        "lf": b"X: x\nTransfer-Encoding: chunked",
        "cr": b"X: x\rTransfer-Encoding: chunked",
        "underscore": b"Transfer_Encoding: chunked",
        "quoted": b'Transfer-Encoding: "chunked"',
        "identity-last": b"Transfer-Encoding: chunked, identity",
        "identity-first": b"Transfer-Encoding: identity, chunked",
        "twice": b"Transfer-Encoding: chunked, chunked",
        "comma": b"Transfer-Encoding: chunked,",
        "empty": b"Transfer-Encoding:",
        "parameter": b"Transfer-Encoding: chunked;q=1",
        "upper": b"TRANSFER-ENCODING: CHUNKED",
        "connection": b"Connection: Content-Length",
        "accented": b"Transfer-Encoding: \xe9chunked",
    }
    for name, header in obscured.items():
        cases[f"te-{name}-cl"] = ([header, length_first], ENDED + HIDDEN)
        cases[f"te-{name}"] = ([header], IN_A_CHUNK)
    numbers = {
        "plus": b"+%d",
        "minus": b"-%d",
        "hex": b"0x%x",
        "list": b"%d, 0",
        "two": b"%d 0",
        "dot": b"%d.0",
        "underscore": b"%d_0",
        "nul": b"%d\x00",
        "letter": b"%da",
    }
    for name, form in numbers.items():
        cases[f"cl-{name}"] = ([b"Content-Length: " + form % len(HIDDEN)], HIDDEN)
    cases["cl-empty"] = ([b"Content-Length:"], HIDDEN)
    cases["cl-huge"] = ([b"Content-Length: " + b"9" * 40], HIDDEN)
    cases["cl-endless"] = ([b"Content-Length: " + b"9" * 6000], HIDDEN)
    return cases


def _chunks() -> dict[str, bytes]:
    """Return chunked bodies that servers may take apart in different ways."""
    size = b"%x" % len(HIDDEN)
    rest = b"\r\n%s\r\n0\r\n\r\n" % HIDDEN
    sizes = {
        "hex": b"0x" + size,
        "plus": b"+" + size,
        "minus": b"-" + size,
        "space-before": b" " + size,
        "space-behind": size + b" ",
        "tab-behind": size + b"\t",
        "underscore": size[:1] + b"_" + size[1:],
        "empty": b"",
        "letter": b"G",
        "nul": size + b"\x00",
        "huge": b"f" * 17 + size,
        "endless": b"0" * 40_000 + size,
        "extension": size + b";a=b",
        "extension-quoted": size + b';a="b\\"c"',
        "extension-cr": size + b";a\rb",
        "extension-lf": size + b";a\nb",
        "extension-nul": size + b";a=\x00",
        "extension-long": size + b";a=" + b"b" * 40_000,
    }
    bodies = {f"chunk-size-{name}": each + rest for name, each in sizes.items()}
    return bodies | {
        "chunk-size-lf": size + b"\n" + HIDDEN + b"\r\n0\r\n\r\n",
        "chunk-end-lf": size + b"\r\n" + HIDDEN + b"\n0\r\n\r\n",
        "chunk-end-missing": size + b"\r\n" + HIDDEN + b"0\r\n\r\n",
        "chunk-too-long": b"1\r\n" + HIDDEN + b"\r\n0\r\n\r\n",
        "last-chunk-00": b"000\r\n\r\n",
        "last-chunk-lf": b"0\n\n",
        "trailer": b"0\r\nX: y\r\n\r\n",
        "trailer-length": b"0\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN),
        "trailer-te": b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "trailer-lf": b"0\r\nX: y\n\n",
        "trailer-long": b"0\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        "trailer-no-colon": b"0\r\nnonsense\r\n\r\n",
    }


HEADERS = {
    "expect": b"Expect: 100-continue",
    "expect-other": b"Expect: 200-ok",
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk",
    "websocket": b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13",
    "host-twice": b"Host: y",
    "type-twice": b"Content-Type: image/png",
    "nul-in-value": b"X: a\x00b",
    "nul-in-name": b"X\x00Y: a",
    "no-colon": b"nonsense",
    "no-name": b": a",
    "space-in-name": b"X Y: a",
    "not-ascii-name": b"\xc3\xa9: a",
    "not-ascii-value": b"X: \xff\xfe",
    "many": b"\r\n".join(b"X-%d: a" % number for number in range(1000)),
    "long": b"X: " + b"a" * 60_000,
    "forwarded": b"X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: y\r\nX-Forwarded-Proto: https",
    "request-id-twice": b"X-Request-ID: other",
}

LINES = {
    "http09": b"GET /healthz",
    "http10": b"GET /nowhere HTTP/1.0",
    "http12": b"GET /nowhere HTTP/1.2",
    "http20": b"GET /nowhere HTTP/2.0",
    "http99": b"GET /nowhere HTTP/9.9",
    "http110": b"GET /nowhere HTTP/1.10",
    "http-lower": b"GET /nowhere http/1.1",
    "http-none": b"GET /nowhere HTTP/",
    "absolute": b"GET http://y/nowhere HTTP/1.1",
    "absolute-https": b"GET https://y:99/nowhere HTTP/1.1",
    "authority": b"CONNECT y:443 HTTP/1.1",
    "asterisk": b"OPTIONS * HTTP/1.1",
    "asterisk-get": b"GET * HTTP/1.1",
    "no-slash": b"GET nowhere HTTP/1.1",
    "two-slashes": b"GET //nowhere HTTP/1.1",
    "dots": b"GET /a/../../nowhere HTTP/1.1",
    "space": b"GET /no where HTTP/1.1",
    "two-spaces": b"GET  /nowhere HTTP/1.1",
    "tab": b"GET\t/nowhere\tHTTP/1.1",
    "not-ascii": b"GET /\xff\xfe HTTP/1.1",
    "nul": b"GET /no\x00where HTTP/1.1",
    "coded-nul": b"GET /no%00where HTTP/1.1",
    "coded-crlf": b"GET /no%0d%0aX:%20where HTTP/1.1",
    "half-code": b"GET /nowhere%f HTTP/1.1",
    "fragment": b"GET /nowhere#there HTTP/1.1",
    "long": b"GET /" + b"a" * 60_000 + b" HTTP/1.1",
    "long-query": b"GET /models?" + b"a=b&" * 10_000 + b" HTTP/1.1",
    "method-lower": b"get /nowhere HTTP/1.1",
    "method-odd": b"GE\x01T /nowhere HTTP/1.1",
    "method-unknown": b"BREW /nowhere HTTP/1.1",
    "method-trace": b"TRACE /nowhere HTTP/1.1",
    "empty-first": b"\r\nGET /nowhere HTTP/1.1",
    "space-first": b" GET /nowhere HTTP/1.1",
    "lf-only": b"GET /nowhere HTTP/1.1\nX: y",
    "pri": b"PRI * HTTP/2.0",
}


def requests(path: str) -> dict[str, bytes]:
    """Return every first request by its name; posts go to this path."""
    found = {
        name: first(path, name, *headers, body=body) for name, (headers, body) in _framing().items()
    }
    found |= {name: first(path, name, CHUNKED, body=body) for name, body in _chunks().items()}
    for name, header in HEADERS.items():
        found[f"header-{name}"] = first(
            path, f"header-{name}", b"Content-Length: 2", header, body=b"ab"
        )
    for name, line in LINES.items():
        found[f"line-{name}"] = first(path, f"line-{name}", line=line)
    found["no-host"] = first(path, "no-host").replace(b"Host: localhost\r\n", b"")
    lines = first(path, "lf-everywhere", LENGTH, body=HIDDEN)
    found["lf-everywhere"] = lines.replace(b"\r\n", b"\n")
    found["tls"] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256))
    found["nothing-but-lines"] = b"\r\n" * 200
    return found


def complaints(port: int, path: str, seen: Callable[[], Sequence[str]]) -> list[str]:
    """Send every case and return what was wrong with the answers, and with what arrived.

    seen: the ids (or case parameters) of all requests that the service has logged.
    """
    wrong = []
    sent = requests(path)
    for name, request in sent.items():
        answers = exchange(port, request + marked(name))
        wrong += [f"{name}: {each}" for each in _wrong_answers(name, answers)]
    deadline = time.monotonic() + TIMEOUT
    exchange(port, marked("last"))
    while "marked-last" not in seen() and time.monotonic() < deadline:
        time.sleep(0.1)
    arrived = seen()
    known = {f"{kind}-{name}" for name in sent for kind in ("first", "marked")} | {"marked-last"}
    wrong += [
        f"{each} arrived {arrived.count(each)} times" for each in known if arrived.count(each) > 1
    ]
    wrong += [f"{each} arrived" for each in arrived if each == "hidden"]
    return wrong


def _wrong_answers(name: str, answers: Sequence[Answer]) -> list[str]:
    statuses = [answer.status for answer in answers]
    wrong = []
    if len(answers) > 2:
        wrong.append(f"{len(answers)} answers to two requests: {statuses}")
    if any(answer.marked for answer in answers[:-1]):
        wrong.append(f"the marked answer came early: {statuses}")
    if len(answers) == 2 and not answers[1].marked and statuses[1] < 400:
        wrong.append(f"the second answer is not the marked one: {statuses}")
    for answer in answers:
        id_ = answer.headers.get("x-request-id", "")
        if (
            id_.startswith(("first-", "marked-"))
            and id_ != f"{'marked' if answer.marked else 'first'}-{name}"
        ):
            wrong.append(f"an answer to {id_}")
        if answer.status >= 400:
            wrong += _wrong_refusal(answer)
    return wrong


def _wrong_refusal(answer: Answer) -> list[str]:
    if answer.status >= 500 and answer.status not in (501, 505):
        return [f"status {answer.status}"]
    if answer.headers.get("content-type") != PROBLEM:
        return [f"{answer.status} is no problem document but {answer.headers.get('content-type')}"]
    document = json.loads(answer.body)
    if document["status"] != answer.status or not document["code"] or not document["detail"]:
        return [f"{answer.status} has the document {document}"]
    return []
