"""The client: so many requests to each address and port, one after another; prints what each answer said, as JSON.

Arguments: how many to each, then URLs.
"""

from __future__ import annotations

import http.client
import json
import sys
import urllib.parse

_TIMEOUT_SECONDS = 20

rounds = int(sys.argv[1])
answers = []
for url in sys.argv[2:]:
    for _round in range(rounds):
        parts = urllib.parse.urlsplit(url)
        asked = {"vip": parts.hostname, "port": parts.port}
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.connect()
            own = connection.sock.getsockname()[0]
            connection.request("GET", "/")
            answers.append({"asked": asked, "own": own, "seen": json.loads(connection.getresponse().read())})
        except OSError as error:
            answers.append({"asked": asked, "error": str(error)})
        finally:
            connection.close()
print(json.dumps(answers))
