#!/bin/sh
# aepp 0.6.0 (a client of Adobe Experience Platform) tells why a create was refused, but not why the service was busy.
#
# A 400 is returned as the service's own document. A 429 or 5xx is in the list of statuses that urllib3's `Retry`
# repeats; when the last repetition is refused as well, requests raises RetryError instead of handing over the answer.
# It has no response, so neither the service's code and words nor Retry-After can be read, and a caller who looks for
# a status finds an error of the connection's kind. `setRetry` changes a number of its own, and leaves that of the
# session as it was: a POST is repeated as often as before.
#
# Seen, one server that answers each POST with the status that its name asks for, and Retry-After: 0:
#   400              {'title': 'Refused'}
#   503              RetryError, response None; two requests at the server
#   503, setRetry(0) RetryError, response None; two requests at the server
# Exit code 0 while that is so; 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check aepp==0.6.0 requests==2.34.2 urllib3==2.8.0
"$folder/venv/bin/python" - <<'PYTHON'
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import aepp.config
import requests
from aepp.flowservice import FlowService

asked = []


class Service(BaseHTTPRequestHandler):
    """Answers with the status that a connection's name asks for."""

    def do_POST(self):
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked.append(told["name"])
        body = json.dumps({"title": "Refused"}).encode()
        self.send_response(int(told["name"]))
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Service)
threading.Thread(target=server.serve_forever, daemon=True).start()
aepp.config.endpoints["global"] = f"http://127.0.0.1:{server.server_port}"
config = {
    **aepp.config.config_object,
    "org_id": "0123456789ABCDEF01234567@AdobeOrg",
    "client_id": "client",
    "sandbox": "dev",
    "token": "token",
    "date_limit": time.time() + 3600,
    "connectionType": "oauthV2",
}
spec = {"id": "0479cc14-7651-4354-b233-7480606c2ac3", "version": "1.0"}
client = FlowService(config=config, header={})


def create(status):
    try:
        return client.createConnection(data={"name": str(status), "connectionSpec": spec})
    except requests.exceptions.RetryError as error:
        return f"RetryError, response {error.response}"


told = [create(400), create(503)]
client.connector.setRetry(0)
told.append(create(503))
server.shutdown()
print(*told, f"requests: {asked}", sep="\n")
lost = "RetryError, response None"
assert told == [{"title": "Refused"}, lost, lost], "refusals are told otherwise now"
assert asked == ["400", "503", "503", "503", "503"], "another number of requests is sent now"
PYTHON
