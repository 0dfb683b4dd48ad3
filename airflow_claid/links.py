"""Signed links: they open a bucket to whoever reads them, so they are kept and shown nowhere."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

_SIGNATURES = {"x-amz-signature", "x-goog-signature", "signature", "sig"}
_OF_SIGNATURES = ("x-amz-", "x-goog-")
_BESIDE_SIGNATURES = {"awsaccesskeyid", "googleaccessid", "expires", "se", "st", "sp", "sv", "sr", "spr", "sip"}


def is_signed(link: str) -> bool:
    """Tell whether a link carries a signature of S3, Google Cloud Storage or Azure."""
    return "?" in link and any(name.lower() in _SIGNATURES for name, _ in parse_qsl(urlsplit(link).query))


def unsigned(link: str) -> str:
    """Give a link without its signature and what belongs to it: the same object, however often it is signed anew."""
    if not is_signed(link):
        return link
    parts = urlsplit(link)
    kept = [
        (name, value)
        for name, value in parse_qsl(parts.query)
        if name.lower() not in _SIGNATURES | _BESIDE_SIGNATURES and not name.lower().startswith(_OF_SIGNATURES)
    ]
    return parts._replace(query=urlencode(kept)).geturl()
