#include "quant/export/tensor_plan.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/quantize.h"
#include "quant/export/threaded_for.h"
#include "quant/format/model_error.h"
#include "quant/format/site_linears.h"
#include "quant/format/weight_values.h"

namespace sasq {
namespace {

// Values of a matrix that are in memory at a time, unless its rotation needs all of them.
constexpr int64_t kBlockValues = int64_t{1} << 22;

// Changes whole rows of a matrix in place, from `first_row` of it on.
using FoldRows = std::function<void(float* rows, int64_t first_row, int64_t row_count)>;

// Both, one after the other; each may be null.
FoldRows InTurn(FoldRows first, FoldRows second) {
  if (first == nullptr) return second;
  if (second == nullptr) return first;
  return [first = std::move(first), second = std::move(second)](float* rows, int64_t first_row,
                                                                int64_t count) {
    first(rows, first_row, count);
    second(rows, first_row, count);
  };
}

// A stored matrix, and what is folded into it.
struct Matrix {
  TensorView view;
  int64_t rows = 0;
  int64_t cols = 0;
  FoldRows fold;             // null: nothing
  int64_t row_multiple = 1;  // `fold` takes multiples of this many rows
};

template <typename T>
absl::string_view BytesOf(const T* values, int64_t count) {
  return {reinterpret_cast<const char*>(values), static_cast<size_t>(count) * sizeof(T)};
}

// Calls `take` with blocks of folded rows, in order.
absl::Status ForBlocks(
    const Matrix& matrix,
    absl::FunctionRef<absl::Status(const float* rows, int64_t first_row, int64_t count)> take) {
  const int64_t multiple = matrix.row_multiple;
  const int64_t fitting = kBlockValues / matrix.cols / multiple * multiple;
  const int64_t block_rows = std::min(matrix.rows, std::max(multiple, fitting));
  std::vector<float> block(static_cast<size_t>(block_rows * matrix.cols));
  for (int64_t row = 0; row < matrix.rows; row += block_rows) {
    const int64_t count = std::min(block_rows, matrix.rows - row);
    ThreadedFor(count, [&](int64_t begin, int64_t end) {
      ReadAsFloat(matrix.view, (row + begin) * matrix.cols, (end - begin) * matrix.cols,
                  block.data() + begin * matrix.cols);
    });
    if (matrix.fold) matrix.fold(block.data(), row, count);
    SASQ_RETURN_IF_ERROR(take(block.data(), row, count));
  }
  return absl::OkStatus();
}

absl::Status WriteFloat(const Matrix& matrix, PartSink sink) {
  return ForBlocks(matrix, [&](const float* rows, int64_t first_row, int64_t count) {
    return sink(0, first_row * matrix.cols * static_cast<int64_t>(sizeof(float)),
                BytesOf(rows, count * matrix.cols));
  });
}

// Parts: codes, scales and, unless it is 0, the scale of the activations.
absl::Status WriteQuantized(const Matrix& matrix, float input_scale, PartSink sink) {
  SASQ_ASSIGN_OR_RETURN(const kernels::CpuPath path, kernels::SelectCpuPath());
  const kernels::CpuContext context{path, ThreadedFor};
  std::vector<int8_t> codes;
  std::vector<float> scales;
  const auto take = [&](const float* rows, int64_t first_row, int64_t count) -> absl::Status {
    codes.resize(static_cast<size_t>(count * matrix.cols));
    scales.resize(static_cast<size_t>(count));
    const absl::Status quantized = kernels::QuantizePerToken(
        context, kernels::DenseMatrix(rows, count, matrix.cols), codes.data(), scales.data());
    if (!quantized.ok()) {
      return InvalidModel(absl::StrCat("tensor ", matrix.view.name, " in ",
                                       matrix.view.file->path(), ": ", quantized.message()));
    }
    SASQ_RETURN_IF_ERROR(
        sink(0, first_row * matrix.cols, BytesOf(codes.data(), count * matrix.cols)));
    return sink(1, first_row * static_cast<int64_t>(sizeof(float)), BytesOf(scales.data(), count));
  };
  SASQ_RETURN_IF_ERROR(ForBlocks(matrix, take));
  return input_scale == 0 ? absl::OkStatus() : sink(2, 0, BytesOf(&input_scale, 1));
}

class Planner {
 public:
  explicit Planner(const PlanInputs& inputs) : inputs_(inputs) {}

  absl::StatusOr<std::vector<PlannedTensor>> Run() {
    const ModelConfig& config = inputs_.config;
    const std::vector<int64_t> table_shape = {config.vocab_size, config.hidden_size};
    SASQ_ASSIGN_OR_RETURN(const TensorView embeddings, Take(kEmbeddings, table_shape));
    AddTable(kEmbeddings, embeddings,
             [rotation = inputs_.rotation](float* rows, int64_t, int64_t count) {
               rotation->RotateRows(rows, count);
             });
    for (int layer = 0; layer < config.layer_count; ++layer) {
      SASQ_RETURN_IF_ERROR(AddLayer(layer));
    }
    SASQ_ASSIGN_OR_RETURN(const Gains final_gains, AddNorm("model.norm.weight", nullptr));
    TensorView head = embeddings;
    taken_.insert(kHead);  // of a tied model it is nobody's
    if (!config.tie_word_embeddings) {
      SASQ_ASSIGN_OR_RETURN(head, Take(kHead, table_shape));
    }
    if (!config.tie_word_embeddings || inputs_.rotation != nullptr) {
      AddTable(kHead, head, Readers(final_gains));
    }
    return CarryOverTheRest();
  }

 private:
  using Gains = std::shared_ptr<const std::vector<float>>;
  using Factors = const std::vector<float>*;  // of the pack, or null

  static constexpr char kEmbeddings[] = "model.embed_tokens.weight";
  static constexpr char kHead[] = "lm_head.weight";

  absl::StatusOr<TensorView> Take(const std::string& name, const std::vector<int64_t>& shape) {
    SASQ_ASSIGN_OR_RETURN(TensorView view, inputs_.checkpoint.Find(name));
    SASQ_RETURN_IF_ERROR(CheckWeightForm(view, shape));
    taken_.insert(name);
    return view;
  }

  FoldRows Readers(const Gains& gains) const {
    if (inputs_.rotation == nullptr) return nullptr;
    return [rotation = inputs_.rotation, gains](float* rows, int64_t, int64_t count) {
      rotation->RotateReaders(rows, count, *gains);
    };
  }

  // Smoothing factors of a site.
  Factors FactorsOf(const SiteId& site) const {
    const auto found = inputs_.pack.smoothing_factors.find(site);
    return found == inputs_.pack.smoothing_factors.end() ? nullptr : &found->second;
  }

  // Columns of what reads a smoothed tensor.
  static FoldRows MultiplyColumns(Factors factors) {
    if (factors == nullptr) return nullptr;
    return [factors](float* rows, int64_t, int64_t count) {
      const int64_t cols = static_cast<int64_t>(factors->size());
      ThreadedFor(count, [&](int64_t begin, int64_t end) {
        for (float* row = rows + begin * cols; row != rows + end * cols; row += cols) {
          for (int64_t i = 0; i < cols; ++i) row[i] *= (*factors)[static_cast<size_t>(i)];
        }
      });
    };
  }

  // Rows of what writes a smoothed tensor: up_proj, its bias, norms' gains.
  static FoldRows DivideRows(Factors factors, int64_t cols) {
    if (factors == nullptr) return nullptr;
    return [factors, cols](float* rows, int64_t first_row, int64_t count) {
      for (int64_t row = 0; row < count; ++row) {
        const float factor = (*factors)[static_cast<size_t>(first_row + row)];
        for (int64_t i = 0; i < cols; ++i) rows[row * cols + i] /= factor;
      }
    };
  }

  void CarryOver(const TensorView& view) {
    plan_.push_back({{{view.name, view.dtype, view.shape}},
                     [view](PartSink sink) { return sink(0, 0, view.bytes); }});
  }

  void AddFloat(const std::string& name, Matrix matrix) {
    std::vector<int64_t> shape = matrix.view.shape;
    plan_.push_back(
        {{{name, Dtype::kF32, std::move(shape)}},
         [matrix = std::move(matrix)](PartSink sink) { return WriteFloat(matrix, sink); }});
  }

  void AddFoldedOrAsItIs(const std::string& name, Matrix matrix) {
    if (matrix.fold == nullptr) return CarryOver(matrix.view);
    AddFloat(name, std::move(matrix));
  }

  // The embeddings or the head; `fold` is used if there is a rotation.
  void AddTable(const std::string& name, const TensorView& view, FoldRows fold) {
    if (inputs_.rotation == nullptr) return CarryOver(view);
    AddFloat(name, {view, view.shape[0], view.shape[1], std::move(fold)});
  }

  // Returns the gains, which are folded into what is behind the norm if there is a rotation.
  // They are divided by `factors`.
  absl::StatusOr<Gains> AddNorm(const std::string& name, Factors factors) {
    SASQ_ASSIGN_OR_RETURN(const TensorView view, Take(name, {inputs_.config.hidden_size}));
    std::vector<float> gains(static_cast<size_t>(view.element_count()));
    ReadAsFloat(view, 0, view.element_count(), gains.data());
    FoldRows ones;
    if (inputs_.rotation != nullptr) {
      ones = [](float* values, int64_t, int64_t count) { std::fill_n(values, count, 1.0f); };
    }
    AddFoldedOrAsItIs(name, {view, view.element_count(), 1,
                             InTurn(std::move(ones), DivideRows(factors, /*cols=*/1))});
    return std::make_shared<const std::vector<float>>(std::move(gains));
  }

  absl::Status AddLayer(int layer) {
    const std::string prefix = absl::StrCat("model.layers.", layer, ".");
    SASQ_ASSIGN_OR_RETURN(const Gains input, AddNorm(prefix + "input_layernorm.weight",
                                                     FactorsOf({layer, SiteKind::kQkvIn})));
    SASQ_RETURN_IF_ERROR(AddSite({layer, SiteKind::kQkvIn}, input));
    SASQ_RETURN_IF_ERROR(AddSite({layer, SiteKind::kOIn}, nullptr));
    SASQ_ASSIGN_OR_RETURN(const Gains post, AddNorm(prefix + "post_attention_layernorm.weight",
                                                    FactorsOf({layer, SiteKind::kGateUpIn})));
    SASQ_RETURN_IF_ERROR(AddSite({layer, SiteKind::kGateUpIn}, post));
    return AddSite({layer, SiteKind::kDownIn}, nullptr);
  }

  absl::Status AddSite(const SiteId& site, const Gains& gains) {
    const std::vector<LinearShape> linears = LinearsOf(inputs_.config, site);
    for (size_t i = 0; i < linears.size(); ++i) {
      constexpr size_t kUp = 1;  // of gate, up
      constexpr size_t kV = 2;   // of q, k, v
      const bool is_value = site.kind == SiteKind::kQkvIn && i == kV;
      const bool is_up = site.kind == SiteKind::kGateUpIn && i == kUp;
      const Factors written = is_up ? FactorsOf({site.layer, SiteKind::kDownIn}) : nullptr;
      const LinearShape& linear = linears[i];
      const std::string name = linear.name + ".weight";
      SASQ_ASSIGN_OR_RETURN(TensorView view, Take(name, {linear.out_features, linear.in_features}));
      Matrix matrix{std::move(view), linear.out_features, linear.in_features, nullptr};
      if (inputs_.rotation != nullptr) Rotate(site, is_value, gains, matrix);
      matrix.fold = InTurn(std::move(matrix.fold), MultiplyColumns(FactorsOf(site)));
      matrix.fold = InTurn(std::move(matrix.fold), DivideRows(written, matrix.cols));
      AddLinear(site, name, std::move(matrix));
      if (linear.has_bias) SASQ_RETURN_IF_ERROR(AddBias(site, is_value, written, linear));
    }
    return absl::OkStatus();
  }

  void Rotate(const SiteId& site, bool is_value, const Gains& gains, Matrix& matrix) const {
    const WeightRotation* rotation = inputs_.rotation;
    const int64_t cols = matrix.cols;
    if (is_value) {
      const int64_t head_dim = inputs_.config.head_dim;
      matrix.row_multiple = head_dim;
      matrix.fold = [rotation, gains, cols, head_dim](float* rows, int64_t, int64_t count) {
        rotation->RotateValueOutputs(rows, count / head_dim, cols);
        rotation->RotateReaders(rows, count, *gains);
      };
    } else if (gains != nullptr) {
      matrix.fold = Readers(gains);
    } else {
      matrix.row_multiple = matrix.rows;
      const int64_t head_count = site.kind == SiteKind::kOIn ? inputs_.config.head_count : 0;
      matrix.fold = [rotation, cols, head_count](float* rows, int64_t, int64_t count) {
        if (head_count > 0) rotation->RotateValueInputs(rows, count, head_count);
        rotation->RotateWriter(rows, cols);
      };
    }
  }

  void AddLinear(const SiteId& site, const std::string& name, Matrix matrix) {
    if (inputs_.pack.float_sites.contains(site)) {
      return AddFoldedOrAsItIs(name, std::move(matrix));
    }
    const auto scale = inputs_.pack.prefill_scales.find(site);
    const float input_scale = scale == inputs_.pack.prefill_scales.end() ? 0 : scale->second;
    const std::string module = name.substr(0, name.rfind('.'));
    PlannedTensor tensor;
    tensor.parts = {{name, Dtype::kI8, {matrix.rows, matrix.cols}},
                    {module + ".weight_scale", Dtype::kF32, {matrix.rows, 1}}};
    if (input_scale != 0) tensor.parts.push_back({module + ".input_scale", Dtype::kF32, {1}});
    tensor.write = [matrix = std::move(matrix), input_scale](PartSink sink) {
      return WriteQuantized(matrix, input_scale, sink);
    };
    plan_.push_back(std::move(tensor));
  }

  // The output of the linear is divided by the factors `written`.
  absl::Status AddBias(const SiteId& site, bool is_value, Factors written,
                       const LinearShape& linear) {
    const std::string name = linear.name + ".bias";
    SASQ_ASSIGN_OR_RETURN(const TensorView view, Take(name, {linear.out_features}));
    const bool writes_stream = site.kind == SiteKind::kOIn || site.kind == SiteKind::kDownIn;
    const WeightRotation* rotation = inputs_.rotation;
    if (rotation == nullptr || (!writes_stream && !is_value)) {
      AddFoldedOrAsItIs(name, {view, linear.out_features, 1, DivideRows(written, /*cols=*/1)});
    } else if (writes_stream) {
      AddFloat(name, {view, 1, linear.out_features, [rotation](float* row, int64_t, int64_t count) {
                        rotation->RotateRows(row, count);
                      }});
    } else {
      const int64_t head_count = inputs_.config.kv_head_count;
      AddFloat(name,
               {view, 1, linear.out_features, [rotation, head_count](float* row, int64_t, int64_t) {
                  rotation->RotateValueOutputs(row, head_count, /*columns=*/1);
                }});
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<PlannedTensor>> CarryOverTheRest() {
    for (const std::string& name : inputs_.checkpoint.names()) {
      if (taken_.contains(name)) continue;
      SASQ_ASSIGN_OR_RETURN(const TensorView view, inputs_.checkpoint.Find(name));
      CarryOver(view);
    }
    return std::move(plan_);
  }

  const PlanInputs& inputs_;
  std::vector<PlannedTensor> plan_;
  std::set<std::string> taken_;
};

}  // namespace

absl::StatusOr<std::vector<PlannedTensor>> PlanTensors(const PlanInputs& inputs) {
  return Planner(inputs).Run();
}

}  // namespace sasq
