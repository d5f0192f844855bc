"""Authorities and certificates of a test, made by openssl in a temporary folder."""

import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """Signs certificates; its own is `pem`."""

    def __init__(self, folder, name="authority"):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.name = folder, name
        self.pem, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        openssl("req", "-x509", *self._new_key(self.key), "-out", self.pem, "-days", 2, "-subj", f"/CN={name}")

    @staticmethod
    def _new_key(path):
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path

    def sign(self, name, hosts="DNS:localhost,IP:127.0.0.1"):
        """Returns the files of a new certificate and its key."""
        pem, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={hosts}\n")
        openssl("req", *self._new_key(key), "-out", request, "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", request, "-CA", self.pem, "-CAkey", self.key, "-CAcreateserial",
                "-days", 2, "-extfile", extensions, "-out", pem)
        return pem, key
