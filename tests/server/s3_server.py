"""moto's S3 on loopback. Refuses what is signed wrongly, and every seventh request as S3 does when it is busy.

usage: s3_server.py PORT_FILE   writes the port that it listens on
"""

import hashlib
import io
import itertools
import os
import pathlib
import re
import sys

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import moto.server
import werkzeug.serving

# AWS's own examples of a key.
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
BUSY_EVERY = 7


class Gate:
    """WSGI: lets requests through to moto, which checks no signatures by itself."""

    def __init__(self):
        self.application = moto.server.DomainDispatcherApplication(moto.server.create_backend_app)
        self.numbers = itertools.count(1)

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if next(self.numbers) % BUSY_EVERY == 0:
            return self.refuse(start_response, "503 Slow Down", "SlowDown")
        if not self.is_signed(environ, body):
            return self.refuse(start_response, "403 Forbidden", "SignatureDoesNotMatch")
        environ["wsgi.input"] = io.BytesIO(body)
        return self.application(environ, start_response)

    @staticmethod
    def refuse(start_response, status, code):
        start_response(status, [("Content-Type", "application/xml")])
        return [f"<Error><Code>{code}</Code></Error>".encode()]

    @staticmethod
    def is_signed(environ, body):
        """Signs the request once more with botocore, an independent implementation."""
        claimed = environ.get("HTTP_AUTHORIZATION", "")
        names = re.search("SignedHeaders=([^,]+)", claimed)
        digest = environ.get("HTTP_X_AMZ_CONTENT_SHA256")
        if names is None or digest != hashlib.sha256(body).hexdigest():
            return False
        known = {"content-type": environ.get("CONTENT_TYPE", "")}
        headers = {name: known.get(name, environ.get("HTTP_" + name.upper().replace("-", "_"), ""))
                   for name in names[1].split(";")}
        url = f"http://{environ['HTTP_HOST']}{environ['RAW_URI']}"
        request = botocore.awsrequest.AWSRequest(environ["REQUEST_METHOD"], url, headers=headers)
        request.context["timestamp"] = environ["HTTP_X_AMZ_DATE"]
        signer = botocore.auth.S3SigV4Auth(botocore.credentials.Credentials(KEY, SECRET), "s3", "us-east-1")
        text = signer.string_to_sign(request, signer.canonical_request(request))
        return signer.signature(text, request) in claimed


def main():
    port_file = pathlib.Path(sys.argv[1])
    server = werkzeug.serving.make_server("127.0.0.1", 0, Gate(), threaded=True)
    written = port_file.with_suffix(".new")
    written.write_text(str(server.server_port))
    os.replace(written, port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()
