"""A client of the service that knows nothing but its address: it learns the API by gRPC reflection."""

import hashlib
import pathlib

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

QUANTIZATION = "sasq.v1.QuantizationService"
ARTIFACTS = "sasq.v1.ArtifactService"
DISPATCH = "sasq.dispatch.v1.DispatchService"
ENDED = ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED")


class ApiError(Exception):
    """A failed call: code, message, metadata, the ErrorInfo's reason, and the field violations by field."""

    def __init__(self, error):
        super().__init__(f"{error.code().name}: {error.details()}")
        self.code, self.message, self.reason, self.violations = error.code(), error.details(), "", {}
        self.metadata = dict(error.initial_metadata() or ())
        status = rpc_status.from_call(error)
        for detail in status.details if status else []:
            info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
            if detail.Unpack(info):
                self.reason = info.reason
            elif detail.Unpack(bad_request):
                self.violations = {v.field: v.description for v in bad_request.field_violations}


class Client:
    """Calls with dicts in proto field names, and dicts back; int64 come as decimal strings."""

    def __init__(self, endpoint, authorities=None, token=None):
        """`authorities`: PEM of those that TLS trusts; none: without TLS."""
        if authorities:
            self.channel = grpc.secure_channel(endpoint, grpc.ssl_channel_credentials(authorities))
        else:
            self.channel = grpc.insecure_channel(endpoint)
        self.metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self.database = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = descriptor_pool.DescriptorPool(self.database)

    def close(self):
        self.channel.close()

    def services(self):
        return sorted(self.database.get_services())

    def _method(self, service, name, make):
        method = self.pool.FindServiceByName(service).FindMethodByName(name)
        request_class = message_factory.GetMessageClass(method.input_type)
        response_class = message_factory.GetMessageClass(method.output_type)
        stub = make(f"/{service}/{name}", request_serializer=request_class.SerializeToString,
                    response_deserializer=response_class.FromString)
        return stub, request_class

    def call(self, service, name, request=None, timeout=30):
        stub, request_class = self._method(service, name, self.channel.unary_unary)
        try:
            response = stub(json_format.ParseDict(request or {}, request_class()), timeout=timeout,
                            metadata=self.metadata)
        except grpc.RpcError as error:
            raise ApiError(error) from None
        return to_dict(response)

    def stream(self, service, name, request, timeout=300):
        """Yields messages, not dicts: some carry bytes."""
        stub, request_class = self._method(service, name, self.channel.unary_stream)
        try:
            yield from stub(json_format.ParseDict(request, request_class()), timeout=timeout,
                            metadata=self.metadata)
        except grpc.RpcError as error:
            raise ApiError(error) from None

    def submit(self, spec, **fields):
        """Submits a job and returns its name."""
        return self.call(QUANTIZATION, "SubmitJob", {"spec": spec, **fields})["job"]["name"]

    def job(self, name):
        return self.call(QUANTIZATION, "GetJob", {"name": name})["job"]

    def cancel(self, name):
        return self.call(QUANTIZATION, "CancelJob", {"name": name})["job"]

    def watch(self, name, until=lambda job: False, timeout=300):
        """Watches a job until `until` holds or it ended; returns it as it was then."""
        job = None
        for response in self.stream(QUANTIZATION, "WatchJob", {"name": name}, timeout):
            job = to_dict(response.job)
            if until(job):
                break
        return job

    def log(self, name):
        chunks = self.stream(QUANTIZATION, "ReadJobLog", {"name": name})
        return b"".join(chunk.data for chunk in chunks).decode()

    def blob(self, sha256, offset=0):
        chunks = self.stream(ARTIFACTS, "DownloadBlob", {"sha256": sha256, "offset": offset})
        return b"".join(chunk.data for chunk in chunks)

    def upload(self, sha256, content, size_bytes, offset=0):
        """Uploads bytes of a blob in one message."""
        stub, request_class = self._method(ARTIFACTS, "UploadBlob", self.channel.stream_unary)
        start = {"sha256": sha256, "size_bytes": size_bytes, "offset": offset}
        message = json_format.ParseDict({"start": start}, request_class())
        message.data = content
        try:
            stub(iter([message]), timeout=30, metadata=self.metadata)
        except grpc.RpcError as error:
            raise ApiError(error) from None

    def download(self, name, folder):
        """Downloads a job's artifact, checking digests; returns the files by name."""
        artifact = self.call(ARTIFACTS, "GetArtifact", {"name": name})["artifact"]
        files = {}
        for blob in artifact["blobs"]:
            content = self.blob(blob["sha256"])
            assert len(content) == int(blob["size_bytes"])
            assert hashlib.sha256(content).hexdigest() == blob["sha256"]
            files[blob["file_name"]] = pathlib.Path(folder) / blob["file_name"]
            files[blob["file_name"]].parent.mkdir(parents=True, exist_ok=True)
            files[blob["file_name"]].write_bytes(content)
        return files


def to_dict(message):
    return json_format.MessageToDict(message, preserving_proto_field_name=True,
                                     always_print_fields_with_no_presence=True)
