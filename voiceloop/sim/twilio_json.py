"""The objects of Twilio's REST API, field by field. Pure.

The form: https://www.twilio.com/docs/voice/api/call-resource; the official SDK reads them.
"""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from voiceloop.sim.twilio_call import SimCall
from voiceloop.sim.twilio_exchange import Exchange, Number

__all__ = ["VERSION", "account_json", "call_json", "number_json", "page_json"]

VERSION: Final = "/2010-04-01"
_PAGE: Final = 50
"""Objects of a page, unless the client asks for another number."""


def account_json(exchange: Exchange) -> dict[str, Any]:
    """The account."""
    account = exchange.account_sid
    return {
        "sid": account,
        "owner_account_sid": account,
        "friendly_name": "Simulated account",
        "status": exchange.options.account_status,
        "type": "Trial" if exchange.options.trial else "Full",
        "date_created": exchange.date(0.0),
        "date_updated": exchange.date(0.0),
        "uri": f"{VERSION}/Accounts/{account}.json",
        "subresource_uris": {},
    }


def number_json(exchange: Exchange, number: Number) -> dict[str, Any]:
    """A number of the account."""
    account = exchange.account_sid
    return {
        "sid": number.sid,
        "account_sid": account,
        "phone_number": number.number,
        "friendly_name": number.name or number.number,
        "voice_url": number.voice_url or None,
        "voice_method": number.voice_method,
        "voice_fallback_url": None,
        "voice_fallback_method": "POST",
        "voice_application_sid": None,
        "trunk_sid": None,
        "status_callback": number.status_callback or None,
        "status_callback_method": "POST",
        "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False},
        "date_created": exchange.date(0.0),
        "date_updated": exchange.date(0.0),
        "api_version": "2010-04-01",
        "uri": f"{VERSION}/Accounts/{account}/IncomingPhoneNumbers/{number.sid}.json",
    }


def call_json(exchange: Exchange, call: SimCall) -> dict[str, Any]:
    """A call."""
    account = exchange.account_sid
    return {
        "sid": call.sid,
        "account_sid": account,
        "parent_call_sid": call.parent.sid if call.parent is not None else None,
        "to": call.to,
        "to_formatted": call.to,
        "from": call.from_,
        "from_formatted": call.from_,
        "status": call.status,
        "direction": call.direction,
        "duration": str(call.duration) if call.duration is not None else None,
        "start_time": exchange.date(call.answered_at),
        "end_time": exchange.date(call.ended_at),
        "date_created": exchange.date(call.created_at),
        "date_updated": exchange.date(call.statuses[-1][0] if call.statuses else call.created_at),
        "answered_by": _answered_by(exchange, call),
        "annotation": None,
        "caller_name": None,
        "forwarded_from": None,
        "group_sid": None,
        "phone_number_sid": None,
        "price": None,
        "price_unit": "USD",
        "queue_time": "0",
        "trunk_sid": None,
        "api_version": "2010-04-01",
        "uri": f"{VERSION}/Accounts/{account}/Calls/{call.sid}.json",
        "subresource_uris": {},
    }


def _answered_by(exchange: Exchange, call: SimCall) -> str | None:
    known = call.ended_at is not None or exchange.options.detection_at_once
    return call.answered_by or None if known else None


def page_json(request: web.Request, name: str, items: list[Any]) -> dict[str, Any]:
    """The part of a list that is asked for.

    Args:
        name: of the list.
    """
    size = min(int(request.query.get("PageSize", _PAGE)), 1000)
    page = int(request.query.get("Page", 0))
    part = items[page * size : (page + 1) * size]
    more = (page + 1) * size < len(items)

    def uri(number: int) -> str:
        return str(request.rel_url.update_query(PageSize=size, Page=number))

    return {
        name: part,
        "page": page,
        "page_size": size,
        "start": page * size,
        "end": page * size + len(part) - 1,
        "uri": uri(page),
        "first_page_uri": uri(0),
        "previous_page_uri": uri(page - 1) if page else None,
        "next_page_uri": uri(page + 1) if more else None,
    }
