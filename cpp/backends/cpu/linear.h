// Matrices as the graph uses them: a Weight (packed codes, or floats in file order), the Activations it is
// multiplied with, and one parallel matmul over several weights that read the same activations.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "backends/cpu/choice.h"
#include "formats/format.h"
#include "kernels/contract/elementwise.h"
#include "kernels/contract/fgemm.h"
#include "kernels/contract/qgemm.h"
#include "kernels/contract/tables.h"
#include "machine/memory.h"
#include "packing/packing.h"
#include "sterna/status.h"
#include "threads/pool.h"

namespace sterna::cpu {

/// The kernels chosen for a kind of weights, called as one.
struct QGemm {
  std::array<kernels::QGemmFn*, kTokenCases> of{};  ///< By token_case().
  std::array<bool, kTokenCases> looks_up{};         ///< Whether that kernel reads tables.
  explicit operator bool() const { return of[0] != nullptr; }
  void operator()(const kernels::QGemmArgs& g) const { of[token_case(g.n_tokens)](g); }
};

struct Weight {
  size_t rows = 0, depth = 0;
  const uint8_t* data = nullptr;  ///< Owned by others: panels (quantized), or rows as in the file (float).
  PackedLayout layout;            ///< Quantized only.
  size_t row_bytes = 0;           ///< Float only.
  QGemm qgemm;
  kernels::FGemmFn* fgemm = nullptr;
  std::string kernel;  ///< Name of the kernel chosen; several if they differ with the number of tokens.
  const char* why = "builtin";  ///< Of the choice (choice.h).
  float out_scale = 1.0f;       ///< Multiplies the product (side-car scale tensors).
  const float* bias = nullptr;  ///< Added last; [rows], or null.
  size_t bytes() const { return qgemm ? layout.bytes() : rows * row_bytes; }
};

/// Bytes that a tensor needs in memory, packed or, for float formats, as it is: a multiple of 64.
size_t packed_bytes(const formats::Format& f, size_t rows, size_t depth);

/// Rows of a tensor in file layout, as they are stored or encoded to another format one by one.
struct TensorRows {
  const formats::Format* stored;
  const uint8_t* data;
  size_t rows, depth;
  const formats::Format* format;  ///< Of what row() gives: `stored`, or one with an encoder.

  bool encoded() const { return format != stored; }
  float scale() const { return formats::tensor_scale(*stored, data, depth, rows); }
  size_t scratch_bytes() const;
  /// The bytes of a row, in the tensor or in `scratch` (for floats, scratch_bytes()). Null if it has to be
  /// encoded and an element is not a finite number.
  const uint8_t* row(size_t r, uint8_t* scratch) const;
  /// The values of those bytes.
  void decode(const uint8_t* row, float* out) const {
    format->decode(row, depth, encoded() ? 1.0f : scale(), out);
  }
};

/// Makes a Weight in `storage` (packed_bytes of tensor.format, 64-byte aligned, zeroed), in parallel; the
/// tensor is not needed afterwards. Errors carry no tensor name: kCorrupt for a scale, or an element to be
/// encoded, that is not finite.
Result<Weight> make_weight(const TensorRows& tensor, uint8_t* storage, ThreadPool& pool);
/// The Weight of panels already packed at `panels`.
Result<Weight> weight_of_panels(const PackedLayout& layout, const uint8_t* panels);

/// Tokens per block: their int8 rows stay in the second-level cache while the panels of a task pass by.
constexpr size_t kTokenBlock = 128;

/// Rows of activations: floats, and their int8 forms for each way that weights want them.
class Activations {
 public:
  /// Room for n_tokens rows of up to max_depth elements in the forms that `weights` need. kOutOfMemory.
  Status reserve(size_t n_tokens, size_t max_depth, std::span<const Weight* const> weights);

  /// Starts a step: rows have `depth` elements and will be multiplied with `weights`.
  void begin(size_t depth, std::span<const Weight* const> weights);
  float* row(size_t token) const { return floats_.as<float>() + token * depth_; }
  /// Fills the int8 forms of a row; call after its floats are written. Different tokens may run in parallel.
  void quantize(size_t token);
  /// Makes the tables of rows first .. first + n - 1 (at most kTokenBlock) that the kernel looks up when it
  /// multiplies n rows with this weight. They hold until forget_tables(), which comes before
  /// the rows change. Allocates nothing.
  void make_tables(ThreadPool& pool, size_t first, size_t n, const Weight& w);
  void forget_tables();

  struct Form {
    size_t block, sum_block;  ///< block 0: one scale per token.
    float floor;              ///< Of a token's amax.
    Buffer codes, scales, sums;
    kernels::QuantizeFn* quantize = nullptr;
    size_t code_stride = 0, scale_stride = 0, sum_stride = 0;  ///< Elements between tokens.
    struct Tables {
      kernels::TablesFn* make = nullptr;
      Buffer bytes;
      size_t first = 0, n = 0;  ///< The rows whose tables these are.
    } tables[2];                ///< For codes of 1 and 2 bits; no bytes if nobody looks up.
  };
  const Form& form(const Weight& w) const { return forms_[index(w)]; }

 private:
  size_t index(const Weight& w) const;  ///< Of its form.
  size_t depth_ = 0;
  Buffer floats_;
  std::vector<Form> forms_;
  std::vector<bool> active_;  ///< Which forms this step needs.
};

struct Product {
  const Weight* weight;
  float* out;  ///< out[token * stride + row]
  size_t stride;
};
/// Rows row .. row + rows - 1 (row a multiple of 16 for quantized weights) times rows first ..
/// first + n_tokens - 1 of the activations, by the calling thread, with tables if there are any:
/// out[token * stride + r], r from 0.
void multiply_rows(const Weight& w, const Activations& acts, size_t first, size_t n_tokens, size_t row,
                   size_t rows, float* out, size_t stride);
/// All products of the activations' rows first .. first + n_tokens - 1 in one parallel region; out's token 0
/// is row `first`.
void matmul(ThreadPool& pool, Activations& acts, size_t first, size_t n_tokens,
            std::span<const Product> products);

}  // namespace sterna::cpu
