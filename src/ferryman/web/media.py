"""Which media types a route takes: a body in a form nobody described is refused with 415, not guessed at."""

from fastapi import Request, params
from starlette.exceptions import HTTPException


async def only_json(request: Request) -> None:
    """Raise 415 when the route of `request` takes JSON and the body is something else (RFC 9110, 15.5.16)."""
    field = getattr(request.scope.get("route"), "body_field", None)
    if field is None or isinstance(field.field_info, params.Form):
        return
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    kind, _, subtype = sent.partition("/")
    if kind == "application" and (subtype == "json" or subtype.endswith("+json")):
        return
    if sent or await request.body():
        raise HTTPException(415, f"The media type '{sent[:80]}' is not taken here.")
