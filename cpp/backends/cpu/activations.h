// Rows of activations: floats, and their integer forms for each way that terms of linear layers read them. A
// form is named by its number, which its readers are told while they are loaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/contract/elementwise.h"
#include "kernels/contract/qgemm.h"
#include "kernels/contract/tables.h"
#include "machine/memory.h"
#include "sterna/status.h"
#include "threads/pool.h"

namespace sterna::cpu {

/// Rows that kernels are given at once: they stay in the second-level cache while the panels of a task pass
/// by.
constexpr size_t kTokenBlock = 128;

/// How a row becomes integers.
struct FormSpec {
  size_t block = 0, sum_block = 0;  ///< Elements per scale and per sum; block 0: one of each a row.
  float floor = 0;                  ///< Of a row's amax.
  int bits = 8;                     ///< 4, 8 or 16 (act_bits.h).
  /// Rows of int8 that kernels read for a row: the high bytes and the low bytes of 16 bits.
  size_t planes() const { return bits == 16 ? 2 : 1; }
  bool operator==(const FormSpec&) const = default;
};

class Activations {
 public:
  struct Form {
    FormSpec spec;
    kernels::QuantizeFn* quantize = nullptr;
    Buffer codes, scales, sums;                                ///< planes() rows for each.
    size_t code_stride = 0, scale_stride = 0, sum_stride = 0;  ///< Elements between rows.
    bool active = false;                                       ///< Whether this step's readers want it.
    struct Tables {
      kernels::TablesFn* make = nullptr;
      Buffer bytes;
      size_t first = 0, n = 0;  ///< The int8 rows whose tables these are ...
      uint64_t step = 0;        ///< ... if they were made in this step.
    } tables[2];                ///< For codes of 1 and 2 bits, if anybody looks up.
  };

  // --- while loading ---

  /// Rows of up to `depth` elements will be read, n_rows at most.
  void want(size_t n_rows, size_t depth);
  /// The same of a form of them: its number.
  size_t want(size_t n_rows, size_t depth, const FormSpec& spec);
  /// Codes of so many bits (1 or 2) will be looked up in tables of this form.
  void want_tables(size_t form, int bits);
  /// Memory for all that. kOutOfMemory.
  Status reserve();

  // --- a step ---

  /// Rows get `depth` elements, and no form; what was made of rows before, tables too, is gone.
  void begin(size_t depth);
  /// Readers of this form follow; none if it is kFloats.
  void read(size_t form) {
    if (form != kFloats) forms_[form].active = true;
  }
  static constexpr size_t kFloats = ~size_t(0);

  float* row(size_t i) const { return floats_.as<float>() + i * depth_; }
  /// Fills the forms of a row; call after its floats are written. Different rows may run in parallel.
  void quantize(size_t i);
  /// Makes the tables of rows first .. first + n - 1 (at most kTokenBlock) for codes of so many bits, unless
  /// they are there. Allocates nothing.
  void make_tables(ThreadPool& pool, size_t form, int bits, size_t first, size_t n);

  const Form& form(size_t i) const { return forms_[i]; }
  /// Rows first .. first + n - 1 of a form as kernels read them, with tables for codes of so many bits if
  /// they are made; 0: without.
  kernels::QGemmRows rows(size_t form, size_t first, size_t n, int table_bits) const;

 private:
  size_t max_rows_ = 0, max_depth_ = 0, depth_ = 0;
  uint64_t step_ = 1;
  Buffer floats_;
  std::vector<Form> forms_;
};

}  // namespace sterna::cpu
