"""The forms in which a server may repeat a secret."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from functools import cache
from urllib.parse import quote

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": lambda secret: secret,
    "upper case": str.upper,
    "lower case": str.lower,
    "swapped case": str.swapcase,
    "title case": str.title,
    "bearer": lambda secret: f"Authorization: Bearer {secret}",
    "in quotes": lambda secret: f"'{secret}'",
    "percent where needed": lambda secret: quote(secret, safe=""),
    "percent": lambda secret: "".join(f"%{ord(char):02x}" for char in secret),
    "percent in upper case": lambda secret: "".join(f"%{ord(char):02X}" for char in secret),
    "percent twice": lambda secret: "".join(f"%25{ord(char):02x}" for char in secret),
    "percent thrice": lambda secret: "".join(f"%2525{ord(char):02x}" for char in secret),
    "every other percent": lambda secret: "".join(
        f"%{ord(char):02x}" if place % 2 else char for place, char in enumerate(secret)
    ),
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 for links": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
    "base64 of bearer": lambda secret: base64.b64encode(f"Bearer {secret}".encode()).decode(),
    "base64 of a login": lambda secret: base64.b64encode(f"user:{secret}".encode()).decode(),
    "base64 after one byte": lambda secret: base64.b64encode(f"a{secret}z".encode()).decode(),
    "base64 in lines": lambda secret: " ".join(
        base64.b64encode(secret.encode()).decode()[start : start + 7] for start in range(0, 2 * len(secret), 7)
    ),
    "hexadecimal": lambda secret: secret.encode().hex(),
    "hexadecimal pairs": lambda secret: secret.encode().hex(":"),
    "escapes of bytes": lambda secret: "".join(f"\\x{ord(char):02x}" for char in secret),
    "octal escapes": lambda secret: "".join(f"\\{ord(char):03o}" for char in secret),
    "JSON escapes": lambda secret: "".join(f"\\u{ord(char):04x}" for char in secret),
    "JSON in JSON": lambda secret: json.dumps("".join(f"\\u{ord(char):04x}" for char in secret)),
    "decimal entities": lambda secret: "".join(f"&#{ord(char)};" for char in secret),
    "hexadecimal entities": lambda secret: "".join(f"&#x{ord(char):X};" for char in secret),
    "escaped line breaks": lambda secret: "\\n".join((secret[:5], secret[5:])),
    "spaced": " ".join,
    "split by tags": lambda secret: f"{secret[:6]}<wbr/>{secret[6:]}",
    "soft breaks": lambda secret: f"{secret[:6]}=20{secret[6:]}",
    "quoted-printable": lambda secret: "".join(f"={ord(char):02X}" for char in secret),
    "cut at its end": lambda secret: secret[: max(12, len(secret) - 4)],
    "cut at its start": lambda secret: secret[-max(12, len(secret) - 4) :],
}
"""By name: of a secret of 12 characters or more."""


def letters(text: str) -> str:
    """The letters and digits of a text, in lower case: what a reader would put together."""
    return re.sub("[^a-z0-9]", "", text.lower())


def gives_away(text: str, secret: str) -> bool:
    """Whether a text holds a secret in one of the forms, or twelve letters of it in a row."""
    told = letters(text)
    return any(trace in told for trace in _traces(secret))


@cache
def _traces(secret: str) -> set[str]:
    plain = letters(secret)
    pieces = {plain[start : start + 12] for start in range(max(1, len(plain) - 11))}
    return pieces | {letters(form(secret)) for form in FORMS.values()}
