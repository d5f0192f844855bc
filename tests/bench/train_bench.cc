// Seconds and memory of a training step and of an evaluation window on a real model, one thread,
// beside the plain way: LibTorch eager float32, fake quantization from elementwise operators,
// autograd through the whole model and all logits at once (tests/support/plain_executor.h).
//
// Usage: SASQ_MODEL_DIR=FOLDER train_bench [REPETITIONS], a Hugging Face folder and, optionally,
// how often each measurement is repeated (default 5). Every row runs in a process of its own, so
// that its peak memory is its own; repetitions alternate between rows, and the median is shown.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "kernels/cpu_path.h"
#include "quant/eval/perplexity.h"
#include "quant/model/compute_threads.h"
#include "quant/model/quantized_weights.h"
#include "quant/model/site_executor.h"
#include "quant/train/scale_gradients.h"
#include "tests/support/plain_executor.h"
#include "tests/support/rules.h"

namespace sasq {
namespace {

using testing::ComputePlainGradients;
using testing::PlainExecutor;

constexpr int64_t kEvaluatedTokens = 4096;

struct Measurement {
  double wall_seconds;
  double cpu_seconds;
  double peak_megabytes;
};

double CpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double PeakMegabytes() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    double kibibytes;
    if (words.size() == 3 && words[0] == "VmHWM:" && absl::SimpleAtod(words[1], &kibibytes)) {
      return kibibytes * 1024 / 1e6;
    }
  }
  return 0;
}

std::vector<int32_t> SomeTokens(int64_t count, int64_t vocab_size) {
  std::vector<int32_t> tokens;
  uint64_t state = 1;
  for (int64_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    tokens.push_back(static_cast<int32_t>((state >> 33) % static_cast<uint64_t>(vocab_size)));
  }
  return tokens;
}

// What a row repeats; made in the row's process.
using Work = std::function<void()>;
using MakeWork = std::function<Work(std::shared_ptr<const Model>)>;

std::shared_ptr<const QuantizedWeights> Quantize(std::shared_ptr<const Model> model) {
  return QuantizedWeights::Create(std::move(model)).value();
}

// Scales of a usual size: speed does not depend on them.
std::vector<float> SomeScales(const Model& model) {
  return std::vector<float>(model.sites().size(), 0.05f);
}

MakeWork OurStep(int64_t token_count) {
  return [token_count](std::shared_ptr<const Model> model) -> Work {
    const std::shared_ptr<const BackwardWeights> weights =
        BackwardWeights::Create(Quantize(model)).value();
    const auto loss = std::make_shared<NextTokenLoss>(*model);
    return [=] {
      const std::vector<int32_t> tokens = SomeTokens(token_count, model->config().vocab_size);
      SASQ_CHECK(ComputeScaleGradients(*weights, *loss, testing::StaticRules(SomeScales(*model)),
                                       {.tokens = tokens}, {})
                     .ok());
    };
  };
}

MakeWork PlainStep(int64_t token_count) {
  return [token_count](std::shared_ptr<const Model> model) -> Work {
    const auto executor = std::make_shared<PlainExecutor>(*Quantize(model), SomeScales(*model));
    return [=] {
      const std::vector<int32_t> tokens = SomeTokens(token_count, model->config().vocab_size);
      ComputePlainGradients(*model, *executor, tokens);
    };
  };
}

// Of kEvaluatedTokens in windows of `token_count`, all logits scored.
MakeWork Evaluation(bool int8, int64_t token_count) {
  return [=](std::shared_ptr<const Model> model) -> Work {
    const std::shared_ptr<SiteExecutor> executor =
        int8 ? MakeQuantizedExecutor(Quantize(model), testing::StaticRules(SomeScales(*model)))
                   .value()
             : MakeFloatExecutor(model);
    return [=] {
      const std::vector<int32_t> tokens = SomeTokens(kEvaluatedTokens, model->config().vocab_size);
      std::vector<EvaluationWindow> windows;
      for (int64_t first = 0; first < kEvaluatedTokens; first += token_count) {
        windows.push_back({.tokens = absl::MakeConstSpan(tokens).subspan(first, token_count)});
      }
      SASQ_CHECK(EvaluatePerplexity(*model, *executor, windows, {}).ok());
    };
  };
}

// One row's process: does the work once for each kRun that it is sent.
class Row {
 public:
  static constexpr char kRun = 'r';
  static constexpr char kQuit = 'q';

  Row(std::string name, const std::string& folder, const MakeWork& make_work)
      : name_(std::move(name)) {
    int commands[2], results[2];
    SASQ_CHECK(pipe(commands) == 0 && pipe(results) == 0);
    pid_ = fork();
    SASQ_CHECK(pid_ >= 0);
    if (pid_ == 0) {
      close(commands[1]);
      close(results[0]);
      Serve(folder, make_work, commands[0], results[1]);
      _exit(0);
    }
    close(commands[0]);
    close(results[1]);
    command_ = commands[1];
    result_ = results[0];
  }

  void RunOnce(bool warm_up) {
    Measurement measurement;
    SASQ_CHECK(write(command_, &kRun, 1) == 1);
    SASQ_CHECK(read(result_, &measurement, sizeof(measurement)) == sizeof(measurement));
    if (!warm_up) measurements_.push_back(measurement);
  }

  void Finish() {
    SASQ_CHECK(write(command_, &kQuit, 1) == 1);
    SASQ_CHECK(waitpid(pid_, nullptr, 0) == pid_);
  }

  // The measurement of the median CPU time.
  Measurement Median() const {
    std::vector<Measurement> sorted = measurements_;
    std::sort(sorted.begin(), sorted.end(), [](const Measurement& a, const Measurement& b) {
      return a.cpu_seconds < b.cpu_seconds;
    });
    return sorted[sorted.size() / 2];
  }
  const std::string& name() const { return name_; }

 private:
  static void Serve(const std::string& folder, const MakeWork& make_work, int commands,
                    int results) {
    SetComputeThreads(1);
    KeepFreedMemory();
    const Work work = make_work(Model::Load(folder).value());
    char command;
    while (read(commands, &command, 1) == 1 && command == kRun) {
      const Stopwatch watch;
      const double cpu_seconds = CpuSeconds();
      work();
      const Measurement measurement = {watch.Seconds(), CpuSeconds() - cpu_seconds,
                                       PeakMegabytes()};
      SASQ_CHECK(write(results, &measurement, sizeof(measurement)) == sizeof(measurement));
    }
  }

  const std::string name_;
  pid_t pid_ = 0;
  int command_ = 0;
  int result_ = 0;
  std::vector<Measurement> measurements_;
};

// Measures two rows in turn and prints them; the second is what the first is compared with.
void Compare(const std::string& folder, int repetitions, const std::string& title,
             const std::string& name, const MakeWork& work, const std::string& plain_name,
             const MakeWork& plain_work) {
  std::vector<std::unique_ptr<Row>> rows;
  rows.push_back(std::make_unique<Row>(name, folder, work));
  rows.push_back(std::make_unique<Row>(plain_name, folder, plain_work));
  for (int i = -1; i < repetitions; ++i) {
    for (const auto& row : rows) row->RunOnce(/*warm_up=*/i < 0);
  }
  const Measurement plain = rows[1]->Median();
  std::printf("\n%s\n", title.c_str());
  for (const auto& row : rows) {
    const Measurement median = row->Median();
    std::printf("  %-28s %8.3f s wall %8.3f s cpu %8.0f MB peak   %5.2fx faster, %3.0f%% memory\n",
                row->name().c_str(), median.wall_seconds, median.cpu_seconds, median.peak_megabytes,
                plain.cpu_seconds / median.cpu_seconds,
                100 * median.peak_megabytes / plain.peak_megabytes);
    row->Finish();
  }
  std::fflush(stdout);
}

int Run(const std::string& folder, int repetitions) {
  std::printf("model %s, kernel path %s, 1 thread, median of %d\n", folder.c_str(),
              std::string(kernels::CpuPathName(kernels::SelectCpuPath().value())).c_str(),
              repetitions);
  std::fflush(stdout);  // before processes are forked
  for (const int64_t tokens : {256, 512}) {
    Compare(folder, repetitions, "training step, " + std::to_string(tokens) + " tokens", "sasq",
            OurStep(tokens), "plain (eager float32)", PlainStep(tokens));
  }
  for (const int64_t tokens : {512, 2048}) {
    Compare(folder, repetitions, "evaluation of 4096 tokens, windows of " + std::to_string(tokens),
            "static INT8", Evaluation(true, tokens), "float32", Evaluation(false, tokens));
  }
  return 0;
}

}  // namespace
}  // namespace sasq

int main(int argc, char** argv) {
  const char* const folder = std::getenv("SASQ_MODEL_DIR");
  if (folder == nullptr) {
    std::printf(
        "train_bench: skipped. Set SASQ_MODEL_DIR to the Hugging Face folder of a model.\n");
    return 0;
  }
  int repetitions = 5;
  if (argc > 1 && (!absl::SimpleAtoi(argv[1], &repetitions) || repetitions < 1)) {
    std::fprintf(stderr, "train_bench: REPETITIONS is %s, want a number from 1 on\n", argv[1]);
    return 2;
  }
  return sasq::Run(folder, repetitions);
}
