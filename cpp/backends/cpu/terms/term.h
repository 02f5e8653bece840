// What a linear layer is a sum of. A kind of term is a descriptor in a file of its own, listed in terms.inc:
// how the tensors of a file become one. Layers, blocks and the public matmul know no kind.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "backends/cpu/activations.h"
#include "backends/cpu/tensor_rows.h"
#include "packing/packing.h"
#include "sterna/status.h"
#include "threads/pool.h"

namespace sterna::cpu {

/// A part of a matrix; its memory is owned by others.
class Term {
 public:
  virtual ~Term() = default;

  size_t rows = 0, depth = 0;
  size_t unit = 1;                  ///< Rows that lie together and are multiplied together ...
  size_t unit_bytes = 0;            ///< ... and what they take.
  const uint8_t* floats = nullptr;  ///< The rows as in a file, if they are kept so.
  std::string
      kernel;  ///< Name of the kernel chosen; several if they differ with the number of rows of activations.
  std::string why;  ///< For people: how it is kept, and why with that kernel.
  size_t bytes() const { return (rows + unit - 1) / unit * unit_bytes; }

  /// The form of the activations that it reads, known after bind().
  size_t form() const { return form_; }
  /// Asks for it, for at most n_rows rows, and takes the memory that it needs itself. kOutOfMemory.
  virtual Status bind(Activations& acts, size_t n_rows) = 0;
  /// Whether products with n rows at once are faster after prepare().
  virtual bool prepares(size_t n) const = 0;
  /// What all rows of the matrix need of rows first .. first + n - 1 (at most kTokenBlock), if there is
  /// anything, before all or some of them are multiplied.
  virtual void prepare(ThreadPool& pool, Activations& acts, size_t first, size_t n) const = 0;
  /// Rows row .. row + n_rows - 1 (row a multiple of `unit`) times rows first .. first + n - 1 (at most
  /// kTokenBlock) of the activations, by the calling thread: out[i * stride + r], i and r from 0.
  virtual void multiply(const Activations& acts, size_t first, size_t n, size_t row, size_t n_rows,
                        float* out, size_t stride) const = 0;

 protected:
  size_t form_ = Activations::kFloats;
};

struct TermKind {
  const char* name;
  /// What follows a matrix's name in the names of its tensors; all or none of them are there.
  std::span<const char* const> tensors;
  /// The shape of a tensor of a matrix (elements of a row, rows); 0: any.
  std::array<uint64_t, 2> (*shape)(size_t tensor, size_t rows, size_t depth);
  /// Whether it is for tensors of these formats.
  bool (*accepts)(std::span<const TensorRows>);
  /// What it needs in memory.
  size_t (*bytes)(std::span<const TensorRows>);
  /// Makes one in `storage` (64-byte aligned, zeroed), in parallel; the tensors are not needed afterwards.
  /// Errors carry no tensor name: kCorrupt for a number that is not finite, kOutOfMemory, kUnsupported.
  Result<std::unique_ptr<Term>> (*make)(std::span<const TensorRows>, uint8_t* storage, ThreadPool& pool);
};

/// All kinds, in the order of terms.inc.
std::span<const TermKind* const> term_kinds();
/// The kind of a matrix that is one tensor.
const TermKind& term_kind(const TensorRows& tensor);
namespace terms {
#define STERNA_TERM(name) extern const TermKind name;
#include "backends/cpu/terms/terms.inc"
#undef STERNA_TERM
}  // namespace terms

/// The term of panels already packed, multiplied with activations of 4, 8 or 16 bits (terms/codes.cpp).
/// kUnsupported without a kernel for them.
Result<std::unique_ptr<Term>> codes_term(const PackedLayout& layout, const uint8_t* panels, int act_bits = 8);

/// What kinds of one tensor have in common: "NAME.weight", with the shape of the matrix.
inline constexpr const char* kWeight[] = {".weight"};
inline std::array<uint64_t, 2> whole_matrix(size_t, size_t rows, size_t depth) { return {depth, rows}; }

}  // namespace sterna::cpu
