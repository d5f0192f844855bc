"""Runs load_bench on a PostgreSQL and an S3 server (moto's) of its own.

usage: postgres.py LOAD_BENCH [FLAG...]    the flags are load_bench's
"""

import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "e2e"))

import stores  # noqa: E402


def main():
    with tempfile.TemporaryDirectory() as folder:
        postgres, s3 = stores.Postgres(), stores.S3(pathlib.Path(folder) / "s3")
        try:
            environment = {**os.environ, **stores.CREDENTIALS, "SASQ_JOB_STORE": postgres.url,
                           "SASQ_BLOB_STORE": "s3://blobs/load", "AWS_ENDPOINT_URL": s3.endpoint}
            return subprocess.run(sys.argv[1:], env=environment, check=False).returncode
        finally:
            s3.close()
            postgres.close()


if __name__ == "__main__":
    sys.exit(main())
