// Which kernel multiplies with a kind of weights on this machine. Several kernels compute the same bits of a
// variant; which is fastest depends on the machine and on the number of tokens, so it is measured when a
// variant is first used, and remembered in a file. The built-in order of the lists stands in where nothing
// may or can be measured.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/contract/qgemm.h"
#include "kernels/registry.h"
#include "packing/packing.h"
#include "sterna/status.h"

namespace sterna::cpu {

/// Cases by number of tokens: from kFrom[i] tokens on, measured with kMeasured[i].
constexpr size_t kTokenCases = 4;
constexpr size_t kFrom[kTokenCases] = {1, 2, 8, 32}, kMeasured[kTokenCases] = {1, 4, 16, 64};
constexpr size_t token_case(size_t n_tokens) {
  size_t i = kTokenCases - 1;
  while (n_tokens < kFrom[i]) i--;
  return i;
}

/// Panels that a product with one token walks side by side (kernels::QGemmArgs).
constexpr size_t kStreams = 2;

struct Choice {
  std::array<const kernels::Kernel*, kTokenCases> kernel{};
  const char* why = "";  ///< "measured", "cached", "builtin" or "forced".

  /// "qgemm_w2_row_avx512", or "qgemm_w1_row_table_avx512, from 8 tokens qgemm_w1_row_avx512".
  std::string names() const;
};

/// How a matrix with such codes is packed here: of the packings that accept it, the one whose kernels are of
/// the best instruction set that may be used, and the first of equals.
const Packing& choose_packing(const formats::CodeSpec& spec);

/// The choice for weights like these. Measures once per process and variant (some 50 ms), or twice where two
/// threads meet: nothing is locked, so a process forked meanwhile can choose as well. kUnsupported for a
/// variant without kernels, or a wrong STERNA_ISA or STERNA_CHOICE; kOutOfMemory.
Result<Choice> choose(const PackedLayout& like);
/// What sterna::set_kernel_choice() does.
Status set_choice_mode(std::string_view name);

// --- the parts, for explain_kernels() and the tests ---

/// The kernels of a variant that may be the fastest here: those of the best two instruction sets that have
/// it, without scalar unless it is the only one. The first is the built-in choice.
std::vector<const kernels::Kernel*> plausible(std::string_view variant);

/// Int8 activations as those of models are when quantized by blocks: few large ones, a bell of deviation 42.
void example_activations(int8_t* act, size_t n);

/// Seconds of each kernel for `n_tokens` tokens and a matrix of this layout with arbitrary codes: the best of
/// a few interleaved rounds. kOutOfMemory.
Result<std::vector<double>> measure(std::span<const kernels::Kernel* const> kernels,
                                    const PackedLayout& layout, size_t n_tokens);

/// The fastest, or the first if it is not at least 5 % slower: less is noise.
size_t winner(std::span<const double> seconds);

/// What was measured, kept in a text file. A file that another CPU, version or list of kernels wrote, or that
/// cannot be read, is as good as none; one that cannot be written is none. All calls may meet in threads.
class ChoiceTable {
 public:
  /// `path`: the file; "" for none.
  explicit ChoiceTable(std::string path) : path_(std::move(path)) {}
  ChoiceTable(const ChoiceTable&) = delete;
  ChoiceTable& operator=(const ChoiceTable&) = delete;
  ~ChoiceTable();
  /// From the table, else (unless `fresh`) from the file, else measured and then written to the file. Where
  /// memory does not suffice to measure, the built-in choice.
  Result<Choice> choose(const PackedLayout& like, bool fresh);

 private:
  struct Entry;
  const Entry* find(std::string_view variant, bool fresh) const;
  Choice add(const std::string& variant, const Choice& choice, bool fresh);
  void write() const;
  std::string path_;
  std::atomic<bool> read_ = false;
  std::atomic<const Entry*> entries_ = nullptr;  ///< The newest first; none is ever taken away.
};

}  // namespace sterna::cpu
