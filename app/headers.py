"""Headers of requests, looked up by name."""

from starlette.types import Scope

_HEADERS = "kerb.headers"


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """The headers of a request by name, in lower case; of several of a name the last.

    They are sorted by name once a request, as several look into them.
    """
    headers: dict[bytes, bytes] | None = scope.get(_HEADERS)
    if headers is None:
        headers = scope[_HEADERS] = dict(scope["headers"])
    return headers
