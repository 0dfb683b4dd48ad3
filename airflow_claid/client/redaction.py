"""Take secrets out of texts that come from outside: from a server, from a proxy, or from a library's error.

Three things are never shown: the secrets of a client, in whatever form a server repeats them; the login in an address;
and the query of a link, which may be a signature that opens a bucket.
"""

from __future__ import annotations

import base64
import html
import logging
import re
import threading
import unicodedata
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

HIDDEN: Final = "***"

_SHOWN_CHARACTERS = 300
_MOST_CHARACTERS = 10_000
_SEARCHED_CHARACTERS = 2_000_000

_ENCODED = re.compile(
    r"%u?(?:00)?[0-9A-Fa-f]{2}"  # percent-encoding
    r"|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|\\[0-3][0-7]{2}|\\."  # escapes of JSON and of other languages
    r"|&#?\w{1,31};"  # entities of HTML
    r"|<[^<>]{0,200}>"  # tags of HTML
)
_QUOTED_PRINTABLE = re.compile(r"=(?:[0-9A-Fa-f]{2}|\r?\n)")
_ROUNDS = 3
_NOT_LETTERS = bytes(code for code in range(256) if not chr(code).isalnum() or code > 127)
_BASE64_STARTS = (0, 2, 3)

_LOGIN = re.compile(r"(\b(?:https?|ftp|socks\w*|rediss?):\\?/\\?/)[^\s/?#'\"<>\\]*@", re.IGNORECASE)
_QUERY = re.compile(
    r"(\b[a-z][a-z0-9+.-]{0,20}(?::|%3A)(?:\\?/|%2F){2}[^\s'\"<>?#]*?)"
    r"(?:\?(?!sha256:[0-9a-f]{16}(?![^\s'\"<>]))|%3F|\\u003f|#)[^\s'\"<>]*"
    r"|(?<=[^\s'\"<>?])\?(?=[^\s'\"<>?]*=)[^\s'\"<>]*",
    re.IGNORECASE,
)
_QUERY_BEGINS = re.compile(r"[?#]|%3F|\\u003f", re.IGNORECASE)
_CONTROLS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def without_queries(text: str) -> str:
    """Remove the queries from the links in a text: they may be signatures that open a bucket."""
    return _QUERY.sub(lambda found: f"{found[1] or ''}?…", text) if _QUERY_BEGINS.search(text) else text


def without_logins(text: str) -> str:
    """Remove user and password from the addresses in a text."""
    return _LOGIN.sub(r"\1", text) if "@" in text else text


def one_line(text: str, most: int = _SHOWN_CHARACTERS) -> str:
    """Return a text as one line of printable characters, cut to a length."""
    line = _CONTROLS.sub(" ", text).strip()
    return line if len(line) <= most else line[:most] + "…"


def passwords_in(addresses: Iterable[str]) -> set[str]:
    """Return the passwords in addresses, as they are written there and as they are sent."""
    logins = [address.split("://", 1)[-1].rpartition("@")[0] for address in addresses]
    passwords = {login.partition(":")[2] for login in logins}
    return {form for password in passwords if password for form in (password, unquote(password))}


@dataclass(frozen=True)
class _Trace:
    """A secret in one form: any ``size`` of its letters in a row give it away."""

    letters: bytes
    size: int
    any_case: bool

    def probes(self) -> Iterator[bytes]:
        """Yield short pieces, of which each run of ``size`` letters holds one."""
        length = min(8, self.size)
        for start in range(0, len(self.letters) - length + 1, self.size - length + 1):
            yield self.letters[start : start + length]

    def pieces(self) -> set[bytes]:
        """Return all runs of ``size`` letters."""
        return {self.letters[start : start + self.size] for start in range(len(self.letters) - self.size + 1)}


class _Secret:
    """All traces that a secret can leave in a text, whatever its case, its encoding and what stands between."""

    def __init__(self, secret: str) -> None:
        content = secret.encode("utf-8", "replace")
        letters = _letters(secret).lower()
        self.strong = len(letters) >= 12 or (len(letters) >= 8 and not letters.isalpha() and not letters.isdigit())
        """Whether it cannot stand in a text by chance."""
        self.literals = () if len(letters) >= 6 else (secret, quote(secret, safe=""))
        size = max(9, min(12, 3 * len(letters) // 4)) if len(letters) > 12 else len(letters)
        traces = [_Trace(letters, size, any_case=True)] if size >= 6 else []
        if len(content) >= 6:
            digits = content.hex().encode()
            traces.append(_Trace(digits, min(24, len(digits)), any_case=True))
            for offset, start in enumerate(_BASE64_STARTS):
                encoded = base64.b64encode(b"\0" * offset + content).decode()
                known = _letters(encoded[start : (offset + len(content)) * 8 // 6])
                traces.append(_Trace(known, min(16, len(known)), any_case=False))
        self._traces = traces
        self._probes = tuple(probe for trace in traces if trace.any_case for probe in trace.probes())
        self._exact_probes = tuple(probe for trace in traces if not trace.any_case for probe in trace.probes())

    def may_be_in(self, letters: bytes) -> bool:
        """Return whether the letters of a text look like this secret; quick, and never wrong in saying no."""
        lower = letters.lower()
        for probe in self._probes:
            if probe in lower:
                return True
        for probe in self._exact_probes:  # noqa: SIM110 - each answer is searched, and a loop takes half the time
            if probe in letters:
                return True
        return False

    def found_in(self, letters: bytes) -> Iterator[tuple[int, int]]:
        """Yield where the letters of a text give the secret away."""
        lower = letters.lower()
        for trace in self._traces:
            searched = lower if trace.any_case else letters
            if not any(probe in searched for probe in trace.probes()):
                continue
            pieces = trace.pieces()
            for start in range(len(searched) - trace.size + 1):
                if searched[start : start + trace.size] in pieces:
                    yield start, start + trace.size


class Redactor:
    """Takes the secrets of one client out of texts; thread-safe.

    Recognised are a secret in any case, split over lines or by anything but letters and digits, percent-encoded, in
    base64, in hexadecimal, in the escapes of JSON and HTML, in combinations of these, and twelve or more characters of
    a longer one.

    :param secrets: the key, and the passwords of proxies.
    """

    def __init__(self, *secrets: str) -> None:
        self._lock = threading.Lock()
        self._secrets: dict[str, _Secret] = {}
        self.learn(*secrets)
        _remember(self)

    def __repr__(self) -> str:
        return f"Redactor({HIDDEN})"

    def learn(self, *secrets: str) -> None:
        """Hide these secrets, too. One of fewer than four characters is none."""
        with self._lock:
            new = {secret: _Secret(secret) for secret in secrets if len(secret) > 3 and secret not in self._secrets}
            if new:
                self._secrets = {**self._secrets, **new}

    def __call__(self, text: str) -> str:
        """Return a text that may be shown: without secrets, logins, and queries of links."""
        text = text[:_MOST_CHARACTERS].encode("utf-8", "replace").decode()
        secrets = self._secrets
        for literal in {literal for secret in secrets.values() for literal in secret.literals}:
            text = text.replace(literal, HIDDEN)
        return without_queries(without_logins(_hide(text, list(secrets.values()))))

    def line(self, text: str, most: int = _SHOWN_CHARACTERS) -> str:
        """Return a text that may be shown, as one line of at most this many characters."""
        return one_line(self(text), most)

    def content(self, content: bytes) -> bytes:
        """Return the bytes of an answer without secrets; everything else stays as it came, links included."""
        strong = [secret for secret in self._secrets.values() if secret.strong]
        text = content.decode("utf-8", "surrogateescape")
        hidden = _hide(text, strong)
        return content if hidden is text else hidden.encode("utf-8", "surrogateescape")


def _hide(text: str, secrets: list[_Secret]) -> str:
    """Replace the secrets in a text; return the very same text if there are none."""
    views = [_letters(view) for view in _views(text)]
    suspects = [secret for secret in secrets if any(secret.may_be_in(letters) for letters in views)]
    if not suspects:
        return text
    if len(text) > _SEARCHED_CHARACTERS:
        return HIDDEN
    hidden, end = [], 0
    for start, stop in sorted(_places(text, suspects)):
        if start >= end:
            hidden += [text[end:start], HIDDEN]
        end = max(end, stop)
    return "".join([*hidden, text[end:]]) if hidden else text


def _places(text: str, secrets: list[_Secret]) -> Iterator[tuple[int, int]]:
    """Yield where a text holds a secret, in any view of it."""
    for chars, spans in _mapped_views(text):
        letters: list[str] = []
        of_letters: list[tuple[int, int]] = []
        for char, span in zip(chars, spans, strict=True):
            for letter in char if char.isascii() and char.isalnum() else _letters(char).decode():
                letters.append(letter)
                of_letters.append(span)
        joined = "".join(letters).encode()
        for secret in secrets:
            for start, stop in secret.found_in(joined):
                yield of_letters[start][0], of_letters[stop - 1][1]


def _views(text: str) -> Iterator[str]:
    """Yield a text as it is, and decoded once, twice and three times."""
    yield text
    if "=" in text and (decoded := _QUOTED_PRINTABLE.sub(_decoded, text)) != text:
        yield decoded
    for _ in range(_ROUNDS):
        decoded = _ENCODED.sub(_decoded, text) if any(mark in text for mark in "%\\&<") else text
        if decoded == text:
            return
        yield decoded
        text = decoded


def _mapped_views(text: str) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    """Yield the same views, each with the place in the text that each of its characters comes from."""
    spans = [(place, place + 1) for place in range(len(text))]
    yield text, spans
    printable, of_printable = _decode_mapped(_QUOTED_PRINTABLE, text, spans)
    if printable != text:
        yield printable, of_printable
    for _ in range(_ROUNDS):
        decoded, of_decoded = _decode_mapped(_ENCODED, text, spans)
        if decoded == text:
            return
        yield decoded, of_decoded
        text, spans = decoded, of_decoded


def _decode_mapped(
    encoded: re.Pattern[str], text: str, spans: list[tuple[int, int]]
) -> tuple[str, list[tuple[int, int]]]:
    parts, kept, end = [], [], 0
    for found in encoded.finditer(text):
        plain = _decoded(found)
        parts += [text[end : found.start()], plain]
        kept += spans[end : found.start()]
        kept += [(spans[found.start()][0], spans[found.end() - 1][1])] * len(plain)
        end = found.end()
    return "".join([*parts, text[end:]]), kept + spans[end:]


def _decoded(found: re.Match[str]) -> str:
    """Return what an encoded character stands for; nothing for a tag or a line break."""
    text = found[0]
    if text[0] == "<" or text.isspace():
        return ""
    if text[0] == "&":
        return html.unescape(text)
    if text[0] == "\\" and len(text) == 2:
        return " " if text[1] in "nrtbf" else text[1]
    if text[0] == "\\" and text[1].isdigit():
        return chr(int(text[1:], 8))
    digits = re.sub(r"[^0-9A-Fa-f]", "", text[1:])
    return chr(int(digits, 16)) if digits else ""


def _letters(text: str) -> bytes:
    """Return the letters and digits of a text; full-width and other forms of them count as these."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return text.encode("ascii", "ignore").translate(None, _NOT_LETTERS)


_live: tuple[weakref.ref[Redactor], ...] = ()
_live_lock = threading.Lock()
"""Held to change the redactors in use, but not to read them: a log must wait for nobody."""

_LOGGERS = (
    "urllib3",
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.poolmanager",
    "urllib3.response",
    "urllib3.util.retry",
    "urllib3.util.ssl_match_hostname",
    "requests",
    "charset_normalizer",
)


class _RedactingFilter(logging.Filter):
    """Redacts the records of a library that logs whole links and what servers say."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record, and let it pass."""
        try:
            message = redacted(record.getMessage())
            failure = redacted(logging.Formatter().formatException(record.exc_info)) if record.exc_info else None
        except Exception as error:  # noqa: BLE001 - an answer must not get lost because of what a library logs about it
            message, failure = f"(a message that cannot be shown: {type(error).__name__})", None
        record.msg, record.args = message, ()
        record.exc_info, record.exc_text = None, failure
        return True


_filter = _RedactingFilter()


def protect_library_logs() -> None:
    """Redact what the HTTP libraries log, at all levels; their loggers are else as the user has set them."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_filter)


def _remember(redactor: Redactor) -> None:
    global _live
    with _live_lock:
        _live = (*(one for one in _live if one() is not None), weakref.ref(redactor))


def redacted(text: str) -> str:
    """Return a text without the secrets of all clients in use, without logins, and without queries of links."""
    for reference in _live:
        redactor = reference()
        if redactor is not None:
            text = redactor(text)
    return without_queries(without_logins(text))
