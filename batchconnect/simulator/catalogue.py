"""The connection specs that the simulated service knows."""

from typing import Any

ADX_SPEC = "0479cc14-7651-4354-b233-7480606c2ac3"
ADX_VERSION = "1.0"
ADX_AUTH = "Service Principal Based Authentication"
KEY = "servicePrincipalKey"
FIELDS = ("endpoint", "database", "tenant", "servicePrincipalId", KEY)
OTHER_SPEC = "11111111-2222-4333-8444-555555555555"
"""A source of another kind, for connections that are none of ours."""

SPECS: dict[str, dict[str, Any]] = {
    ADX_SPEC: {
        "id": ADX_SPEC,
        "name": "azure-data-explorer",
        "providerId": "0ed90a81-07f4-4586-8190-b40eccef1c5a",
        "version": ADX_VERSION,
        "authSpec": [
            {
                "name": ADX_AUTH,
                "type": "ServicePrincipal",
                "spec": {
                    "$schema": "http://json-schema.org/draft-07/schema#",
                    "type": "object",
                    "properties": {
                        field: {
                            "type": "string",
                            **({"format": "password"} if field == KEY else {}),
                        }
                        for field in FIELDS
                    },
                    "required": list(FIELDS),
                },
            }
        ],
        "attributes": {"category": "Databases", "isSource": True},
    },
    OTHER_SPEC: {
        "id": OTHER_SPEC,
        "name": "another-source",
        "version": "1.0",
        "authSpec": [{"name": "Basic Authentication", "type": "Basic", "spec": {"type": "object"}}],
        "attributes": {"category": "Cloud Storage", "isSource": True},
    },
}
