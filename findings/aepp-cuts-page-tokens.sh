#!/bin/sh
# aepp 0.6.0 (a client of Adobe Experience Platform) asks for the next page with a token cut off at its first "=".
#
# Flow Service tells the next page as a link, `?continuationToken=...`. For source and target connections, flows and
# runs aepp takes what stands between the first and the second "=" of the whole link. A token in base64 loses its
# padding, so the service is asked with one that it never gave out; and where another parameter stands before the
# token, that parameter's value is sent as the token. Base connections are listed by other code, which keeps the link.
#
# Seen, by the requests that a server gets for a second page:
#   link ?continuationToken=cGFnZTI=          asked for with continuationToken=cGFnZTI
#   link ?limit=1&continuationToken=cGFnZTIx  asked for with continuationToken=1&continuationToken, encoded
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
from urllib.parse import parse_qs, urlsplit

import aepp.config
from aepp.flowservice import FlowService

LINKS = ("continuationToken=cGFnZTI=", "limit=1&continuationToken=cGFnZTIx")
asked = []


class Service(BaseHTTPRequestHandler):
    """Two pages of one source connection each; the first says where the second is."""

    query = ""

    def do_GET(self):
        token = parse_qs(urlsplit(self.path).query).get("continuationToken")
        asked.extend(token or [])
        links = {} if token else {"next": {"href": f"/sourceConnections?{self.query}"}}
        body = json.dumps({"items": [{"id": "1"}], "_links": links}).encode()
        self.send_response(200)
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
client = FlowService(config=config, header={})
for Service.query in LINKS:
    client.getSourceConnections()
    print("link:", Service.query, " asked for with:", asked[-1])
server.shutdown()
assert asked == ["cGFnZTI", "1&continuationToken"], "the tokens are taken otherwise now"
PYTHON
