"""
Flow Service: what is asked of it, and what its answers mean; pure but for the client's `send`.

This is the door; `answer` and `refusal` hold the contract's tables, `listing` and `paging` its listings.
"""

from batchconnect.flow_service.client import (
    FlowService,
    Sent,
    count_request,
    create_request,
    get_request,
    list_request,
    spec_request,
    unforeseen,
)
from batchconnect.flow_service.reading import NotFound, Spec, Unreadable

__all__ = [
    "FlowService",
    "NotFound",
    "Sent",
    "Spec",
    "Unreadable",
    "count_request",
    "create_request",
    "get_request",
    "list_request",
    "spec_request",
    "unforeseen",
]
