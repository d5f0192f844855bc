// Specs, workers and outcomes that the tests of the coordinator share.
#ifndef SASQ_TESTS_SERVER_TEST_JOBS_H_
#define SASQ_TESTS_SERVER_TEST_JOBS_H_

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "sasq/dispatch/v1/dispatch_service.pb.h"
#include "sasq/v1/job_spec.pb.h"

namespace sasq {

// Without a pause between attempts.
inline v1::JobSpec MinimalSpec() {
  v1::JobSpec spec;
  spec.mutable_retry()->mutable_initial_backoff();
  spec.mutable_model()->set_uri("file:/nowhere/model");
  spec.mutable_training_text()->set_uri("file:/nowhere/train.txt");
  spec.mutable_evaluation_text()->set_uri("file:/nowhere/test.txt");
  return spec;
}

inline dispatch::v1::RegisterWorkerRequest WorkerNamed(
    const std::string& id, const std::string& instance = "instance-1",
    v1::DeviceKind device_kind = v1::DEVICE_KIND_CPU) {
  dispatch::v1::RegisterWorkerRequest request;
  request.set_worker_id(id);
  request.set_instance_id(instance);
  request.set_version("0.1.0");
  v1::WorkerCapabilities& capabilities = *request.mutable_capabilities();
  capabilities.set_device_kind(device_kind);
  capabilities.set_device_name("Test device");
  capabilities.set_memory_bytes(int64_t{8} << 30);
  capabilities.set_thread_count(device_kind == v1::DEVICE_KIND_CPU ? 2 : 0);
  capabilities.set_kernel_path("portable");
  capabilities.set_float_flops_per_second(1e11);
  return request;
}

inline v1::ReportRow Row(v1::Method method, double perplexity) {
  v1::ReportRow row;
  row.set_name(absl::AsciiStrToLower(absl::StripPrefix(v1::Method_Name(method), "METHOD_")));
  row.set_method(method);
  row.set_first_token(v1::FIRST_TOKEN_QUANTIZED);
  row.set_perplexity(perplexity);
  return row;
}

inline dispatch::v1::HeartbeatRequest HeartbeatOf(const dispatch::v1::Task& task,
                                                  const std::string& worker_id,
                                                  const std::string& instance = "instance-1") {
  dispatch::v1::HeartbeatRequest request;
  request.set_worker_id(worker_id);
  request.set_instance_id(instance);
  request.set_job(task.job());
  request.set_lease_token(task.lease_token());
  return request;
}

inline dispatch::v1::CompleteTaskRequest OutcomeOf(const dispatch::v1::Task& task) {
  dispatch::v1::CompleteTaskRequest request;
  request.set_job(task.job());
  request.set_lease_token(task.lease_token());
  return request;
}

// A success whose files have contents of their own for each `mark`.
inline dispatch::v1::CompleteTaskRequest SuccessOf(const dispatch::v1::Task& task,
                                                   const std::string& mark) {
  dispatch::v1::CompleteTaskRequest request = OutcomeOf(task);
  *request.mutable_succeeded()->add_rows() = Row(v1::METHOD_SASQ, 17.5);
  for (const char* name : {"scales.safetensors", "report.json", "report.html", "manifest.json"}) {
    dispatch::v1::ArtifactFile* file = request.mutable_succeeded()->add_files();
    file->set_file_name(name);
    file->set_content(absl::StrCat(name, " of ", mark));
  }
  return request;
}

inline dispatch::v1::CompleteTaskRequest FailureOf(const dispatch::v1::Task& task,
                                                   v1::JobFailureReason reason) {
  dispatch::v1::CompleteTaskRequest request = OutcomeOf(task);
  request.mutable_failed()->mutable_error()->set_reason(reason);
  request.mutable_failed()->mutable_error()->set_message("it did not work");
  return request;
}

}  // namespace sasq

#endif  // SASQ_TESTS_SERVER_TEST_JOBS_H_
