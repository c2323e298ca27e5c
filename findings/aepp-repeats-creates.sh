#!/bin/sh
# aepp 0.6.0 (a client of Adobe Experience Platform) sends a create once more after a 500, unless it is told not to.
#
# Its settings have `retry` at 1, described as a number of retries in case of failure, and for a connector as one of
# GET requests. All requests share a session whose urllib3 `Retry` has that number, names POST among the methods that
# may be repeated, and 500 among the statuses that ask for it. A Flow Service that has made a connection and then
# answers 500 is asked to make it once more; names need not be unique there, so both stand. The caller is told of the
# second alone.
#
# Seen: one createConnection with the settings as they come, and a server that makes a connection for each POST and
# answers 500 to the first: two stand there, "made-1" and "made-2", and the answer is {'id': 'made-2'}.
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
from aepp.flowservice import FlowService

made = []


class Service(BaseHTTPRequestHandler):
    """Makes a connection for each POST; its first answer is a 500 all the same."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        made.append(f"made-{len(made) + 1}")
        is_first = len(made) == 1
        body = json.dumps({"title": "Internal error"} if is_first else {"id": made[-1]}).encode()
        self.send_response(500 if is_first else 201)
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
answer = FlowService(config=config, header={}).createConnection(
    data={"name": "Client 1", "connectionSpec": spec}
)
server.shutdown()
print("stand there:", made)
print("told:       ", answer)
assert made == ["made-1", "made-2"], "the POST is sent once now"
assert answer == {"id": "made-2"}, "the caller is told something else now"
PYTHON
