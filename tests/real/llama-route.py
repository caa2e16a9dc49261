#!/usr/bin/env python3
"""Puts two llama.cpp servers behind one address: one whose chat template can call tools, one whose template writes good text.

A request without tool results goes to the first, one with tool results to the second. Small models need this: the template that
makes them call tools makes them fail at plain text. Bytes are passed on as they come. Standard library only.

    llama-route.py LISTEN_PORT TOOLS_URL CHAT_URL
"""

import http.client
import http.server
import json
import sys
import urllib.parse

TOOLS, CHAT = sys.argv[2], sys.argv[3]


def has_results(body):
    """Whether tools have answered: a message of its own, a part of the user's, or an item, as the dialect has it."""
    for message in body.get("messages", body.get("input", [])):
        if message.get("role") == "tool" or message.get("type") == "function_call_output":
            return True
        content = message.get("content")
        if isinstance(content, list) and any(part.get("type") == "tool_result" for part in content):
            return True
    return False


class Route(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.pass_on(CHAT, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.pass_on(CHAT if has_results(json.loads(body)) else TOOLS, body)

    def pass_on(self, upstream, body):
        host = urllib.parse.urlsplit(upstream).netloc
        connection = http.client.HTTPConnection(host, timeout=120)
        connection.request(self.command, self.path, body, {"content-type": "application/json"})
        reply = connection.getresponse()
        self.send_response(reply.status)
        self.send_header("content-type", reply.getheader("content-type", "text/plain"))
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        while piece := reply.read1(65536):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        connection.close()

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Route).serve_forever()
