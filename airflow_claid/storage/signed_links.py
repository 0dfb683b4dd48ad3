"""Signed links: they open a bucket to whoever reads them, so they are kept and shown nowhere."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

_SIGNATURES = {"x-amz-signature", "x-goog-signature", "signature"}
_OF_SIGNATURES = ("x-amz-", "x-goog-")
_BESIDE_SIGNATURES = {"signature", "awsaccesskeyid", "googleaccessid", "expires"}
_AZURE_HOSTS = (".blob.core.windows.net", ".dfs.core.windows.net")
_OF_AZURE = {"sig", "se", "st", "sp", "sv", "sr", "spr", "sip"}


def is_signed(link: str) -> bool:
    """Tell whether a link carries a signature of S3, Google Cloud Storage or Azure."""
    if "?" not in link:
        return False
    names = {name.lower() for name, _ in parse_qsl(urlsplit(link).query)}
    return bool(names & _SIGNATURES) or (_is_azure(link) and "sig" in names)


def unsigned(link: str) -> str:
    """Return a link without its signature and what belongs to it: the same object, however often it is signed anew."""
    if not is_signed(link):
        return link
    parts = urlsplit(link)
    dropped = _BESIDE_SIGNATURES | (_OF_AZURE if _is_azure(link) else set())
    kept = [
        (name, value)
        for name, value in parse_qsl(parts.query)
        if name.lower() not in dropped and not name.lower().startswith(_OF_SIGNATURES)
    ]
    return parts._replace(query=urlencode(kept)).geturl()


def _is_azure(link: str) -> bool:
    return (urlsplit(link).hostname or "").endswith(_AZURE_HOSTS)
