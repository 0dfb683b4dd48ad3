"""Signed links: they open a bucket to whoever reads them, so they are kept and shown nowhere.

A link has two more forms: :func:`unsigned` for fingerprints, and :func:`shown` for everything that is kept or that
people read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from airflow_claid.client.redaction import without_logins
from airflow_claid.storage.addresses import is_link

_SIGNATURES = {
    *("x-amz-signature", "x-goog-signature", "signature", "sig", "hmac"),  # S3, Google Cloud, CloudFront, Azure
    *("x-oss-signature", "x-oss-security-token", "security-token", "auth_key"),  # Alibaba
    *("q-signature", "x-cos-security-token", "x-obs-security-token"),  # Tencent, Huawei
    *("hdnts", "hdnea", "hdntl", "__token__", "__gda__"),  # Akamai
    *("access_token", "accesstoken", "access-token", "auth_token", "authtoken", "authorization", "tempauth"),
    *("apikey", "api_key", "api-key", "x-api-key", "subscription-key"),
    *("password", "passwd", "pwd", "client_secret"),
}
"""Names that a signature, a key or a password has, and that never say which picture is meant."""

_AMBIGUOUS = {"token", "key", "auth", "verify", "md5", "jwt", "secret", "s"}
"""Names that a signature may have (Bunny's ``token``, imgix's ``s``), and also what says which picture is meant
(``/get?key=a.jpg``). They count as a signature where something else names a picture's file."""

_BESIDE_SIGNATURES = {
    *("awsaccesskeyid", "googleaccessid", "ossaccesskeyid", "accesskeyid", "keyname", "key-pair-id", "hash-algorithm"),
    *("expires", "expiry", "exp", "policy", "urlprefix", "token_path", "token_countries", "token_countries_blocked"),
    *("x-oss-credential", "x-oss-date", "x-oss-expires", "x-oss-signature-version", "x-oss-additional-headers"),
    *("q-sign-algorithm", "q-ak", "q-sign-time", "q-key-time", "q-header-list", "q-url-param-list"),
}
"""Names that belong to a signature where there is one, and may mean something else where there is none."""

_OF_SIGNATURES = ("x-amz-", "x-goog-")
_AZURE_HOSTS = (".blob.core.windows.net", ".dfs.core.windows.net")
_OF_AZURE = {
    *("sig", "se", "st", "sp", "sv", "sr", "ss", "srt", "spr", "sip", "si", "sdd"),
    *("skoid", "sktid", "skt", "ske", "sks", "skv", "saoid", "suoid", "scid"),
}
_PICTURE = re.compile(r"\.(jpe?g|png|webp|avif|hei[cf]|tiff?|bmp|gif|mp4)$", re.IGNORECASE)
_IMGIX = re.compile(r"(?=[0-9]*[a-f]|.{16})[0-9a-f]{2,}", re.IGNORECASE)
"""A hexadecimal number that is no size in pixels."""

_AKAMAI = re.compile(r"(^|~)hmac=[0-9a-f]+", re.IGNORECASE)
_BUNNY_FOLDER = re.compile(r"/bcdn_token=[^/]*")
"""Bunny's signature of a whole folder, which stands in the path."""

_DIGITS_OF_DIGEST = 16
_DIGEST = re.compile(rf"sha256:[0-9a-f]{{{_DIGITS_OF_DIGEST}}}")


def is_signed(link: str) -> bool:
    """Tell whether a web link carries a signature, a key, or a login."""
    return is_link(link) and unsigned(link) != link


def unsigned(link: str, ignored: Collection[str] = ()) -> str:
    """Return a web link without signature and login: the same picture, however often its link is signed anew.

    :param ignored: names of other parts of the query that do not say which picture is meant.
    """
    try:
        parts = urlsplit(link)
    except ValueError:
        return link
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    dropped = _names_of_signature(parts, dict(pairs)) | {name.lower() for name in ignored}
    kept = [(name, value) for name, value in pairs if name.lower() not in dropped]
    whole = parts._replace(
        netloc=parts.netloc.rpartition("@")[2],
        path=_BUNNY_FOLDER.sub("", parts.path),
        query=urlencode(kept) if len(kept) < len(pairs) else parts.query,
    )
    return link if whole == parts else whole.geturl()


def shown(link: str) -> str:
    """Return an address as it may be shown and kept; any but a web link is so already.

    A web link loses signature and login, and keeps of the rest of its query a digest, because any part of it may be a
    secret of a service that is not known here. Links of different pictures stay different.
    """
    if not is_link(link):
        return link
    whole = unsigned(link)
    address, mark, rest = whole.partition("?") if "?" in whole else whole.partition("#")
    if _DIGEST.fullmatch(rest):
        return whole
    digest = hashlib.sha256(rest.encode(errors="surrogatepass")).hexdigest()[:_DIGITS_OF_DIGEST]
    return without_logins(f"{address}?sha256:{digest}" if mark and rest else address)


def _names_of_signature(parts: SplitResult, query: Mapping[str, str]) -> set[str]:
    """Return the names, in lower case, of the parts of a query that are a signature or belong to one."""
    values = {name.lower(): value for name, value in query.items()}
    signatures = {name for name in values if name in _SIGNATURES or _AKAMAI.search(values[name])}
    signatures |= {name for name in values.keys() & _AMBIGUOUS if _signs(name, values, parts.path)}
    if not signatures:
        return set()
    is_azure = (parts.hostname or "").endswith(_AZURE_HOSTS) or {"sig", "sv"} <= values.keys()
    beside = _BESIDE_SIGNATURES | (_OF_AZURE if is_azure else set())
    return signatures | {name for name in values if name in beside or name.startswith(_OF_SIGNATURES)}


def _signs(name: str, values: Mapping[str, str], path: str) -> bool:
    """Tell whether a part of a query that has an ambiguous name is a signature."""
    if name == "s" and not _IMGIX.fullmatch(values[name]):
        return False
    others = (path, *(value for other, value in values.items() if other != name))
    return not _PICTURE.search(values[name]) and any(_PICTURE.search(other) for other in others)


def shown_in(value: Any) -> Any:
    """Return a value, such as the body of a request, with the links in it as they may be shown."""
    if isinstance(value, Mapping):
        return {name: shown_in(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown_in(item) for item in value]
    return shown(value) if isinstance(value, str) and not re.search(r"\s", value) else value
