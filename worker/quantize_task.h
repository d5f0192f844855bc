// The real work of a task: read, calibrate, train, measure, put the artifact together.
#ifndef SASQ_WORKER_QUANTIZE_TASK_H_
#define SASQ_WORKER_QUANTIZE_TASK_H_

#include <memory>

#include "quant/model/compute_device.h"
#include "quant/source/source_fetcher.h"
#include "sasq/v1/quantization_service.pb.h"
#include "worker/task_runner.h"
#include "worker/upload_client.h"

namespace sasq {

// What the task runs on; written into reports and manifests.
struct QuantizeTaskOptions {
  ComputeDevice device;
  v1::WorkerCapabilities capabilities;  // of that device
  SourceFetcher* sources = nullptr;     // borrowed
  UploadClient* uploads = nullptr;      // that `sources` reads from; borrowed
};

// A task measures every baseline and then the recipe, each as soon as it is prepared. It leaves a
// checkpoint after calibration, after every measured row and every few training steps, and goes on
// from one if everything that its result depends on is the same. The scale pack's bytes do not
// depend on where attempts were cut.
std::unique_ptr<TaskRunner> MakeQuantizeTask(QuantizeTaskOptions options);

}  // namespace sasq

#endif  // SASQ_WORKER_QUANTIZE_TASK_H_
