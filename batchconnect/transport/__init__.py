"""
One Protocol, five rings: retry > authorize > pace > sign > wire.

Each ring is `async send(Request) -> Response`. The order is behaviour: with the limit outside the
retry, retries would slip past the toll.
"""
