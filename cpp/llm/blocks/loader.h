// How blocks get their weights out of a file. Every tensor that a block asks for must be there with the right
// shape; matrices are planned first, then packed (or copied as they are) one by one, and their source pages
// released. Nothing reads the file afterwards: what happens to it then is nobody's concern.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "backends/cpu/linear.h"
#include "backends/cpu/rows.h"
#include "base/fingerprint.h"
#include "formats/format.h"
#include "machine/memory.h"
#include "sterna/gguf.h"
#include "sterna/status.h"

namespace sterna::blocks {

/// A matrix of a block and its bias, which the layer points to: neither moves after loading.
struct Matrix {
  cpu::Linear linear;
  std::vector<float> bias;
};

class Loader {
 public:
  /// A term of a matrix to be made.
  struct Plan {
    const cpu::TermKind* kind;
    Matrix* to;
    std::vector<const GgufTensor*> tensors;
    std::vector<cpu::TensorRows> sources;  ///< Of `tensors`, all rows or some.
    const cpu::Term* made = nullptr;       ///< By pack().
    /// A term that is one tensor, as another format.
    void encode_as(const formats::Format& format) {
      sources[0].format = &format;
      kind = &cpu::term_kind(sources[0]);
    }
  };
  /// A part of a fused matrix: its next `rows` rows.
  struct Part {
    Matrix* to;
    size_t rows;
  };

  Loader(const GgufFile& file, cpu::RowOps& ops) : file_(file), ops_(ops) {}
  const GgufFile& file() const { return file_; }
  cpu::RowOps& ops() const { return ops_; }

  bool has(const std::string& name) const { return file_.find_tensor(name) != nullptr; }
  /// The tensor if its shape is `shape` (0: any) up to trailing ones; null if it is absent and not required.
  Result<const GgufTensor*> find(const std::string& name, std::span<const uint64_t> shape, bool required);
  /// A one-dimensional tensor as finite floats; empty if absent and not required.
  Status vector(const std::string& name, size_t n, bool required, std::vector<float>& out);
  /// Plans the terms of `name` (rows x depth) with its optional side-car scale and bias.
  Status matrix(const std::string& name, size_t rows, size_t depth, Matrix& to, bool bias_required = false) {
    return matrices(name, depth, {{&to, rows}}, bias_required);
  }
  /// The same for a tensor that holds the rows of several, one after the other.
  Status matrices(const std::string& name, size_t depth, std::initializer_list<Part> parts,
                  bool bias_required);
  /// The same for one of three dimensions: n_experts matrices (rows x depth), without biases and scales.
  Status experts(const std::string& name, size_t n_experts, size_t rows, size_t depth, Matrix& to);
  Result<const formats::Format*> matrix_format(const GgufTensor& t) const;

  /// Packs what was planned into `storage`. `progress` (may be empty) gets 0..1; false cancels (kCancelled).
  Status pack(Buffer& storage, const std::function<bool(float)>& progress);

  /// Adds to the fingerprint what keys and values depend on: pack() and vector() do for what they read.
  void take(std::span<const uint8_t> bytes) { fingerprint_ = mix(fingerprint_, ops_.fingerprint(bytes)); }
  /// Those of the architecture, whoever reads them.
  void take_keys();
  uint64_t fingerprint() const { return fingerprint_; }

  /// The plan of the tensor that `to` is made of, besides what other terms it may have.
  Plan& weight_of(const Matrix& to);
  const std::vector<Plan>& plans() const { return plans_; }
  bool used(const std::string& name) const { return used_.count(name) != 0; }
  Status error(const std::string& tensor, const std::string& what, Code code = Code::kCorrupt) const;

 private:
  Status plan(const cpu::TermKind& kind, const std::string& name, size_t depth,
              std::initializer_list<Part> parts, size_t n_experts = 0);

  const GgufFile& file_;
  cpu::RowOps& ops_;
  std::set<std::string> used_;
  uint64_t fingerprint_ = 0;
  std::vector<Plan> plans_;
};

/// "[2, 3]"
std::string shape_text(std::span<const uint64_t> shape, const char* zero = "0");

}  // namespace sterna::blocks
