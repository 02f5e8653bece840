// The output matrix: full, quantized while loading, or screened (backends/cpu/screen.h).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/cpu/rows.h"
#include "backends/cpu/screen.h"
#include "llm/blocks/loader.h"
#include "sterna/model.h"
#include "sterna/status.h"

namespace sterna::head {

/// What is done with the output matrix; LoadOptions has the words.
struct HeadOptions {
  enum class Screen { kAuto, kOn, kOff } screen = Screen::kAuto;
  int bits = 0;
};

class Head {
 public:
  /// Plans `tensor`.weight, [n_embd, n_vocab], and the norm before it: last of all matrices, because screen()
  /// reads its source again. The logits are `map` of their products.
  Status load(blocks::Loader& loader, const std::string& tensor, size_t n_embd, size_t n_vocab, float eps,
              const cpu::LogitMap& map, const HeadOptions& options);
  /// Makes the screen, if there is to be one, of the packed matrix.
  Status screen(blocks::Loader& loader, const HeadOptions& options);

  size_t n_vocab() const { return matrix_.linear.rows; }
  const blocks::Matrix& matrix() const { return matrix_; }
  uint64_t screen_bytes() const { return screen_ ? screen_->bytes() : 0; }

 private:
  friend class Logits;
  blocks::Matrix matrix_;
  const cpu::Linear* const readers_[1] = {&matrix_.linear};
  std::vector<float> norm_;
  float eps_ = 0;
  cpu::LogitMap map_;
  std::unique_ptr<cpu::Screen> screen_;
};

/// The logits of some rows of a pass, computed where they are asked for. Good until the next pass.
class Logits {
 public:
  /// Norms `rows` of the pass's residual. kCorrupt if one is not finite.
  Status begin(Head& head, cpu::RowOps& ops, const cpu::Residual& x, std::span<const size_t> rows);

  /// Of rows first .. first + n - 1: out[n][n_vocab]. kCorrupt if one is not a finite number.
  Status full(size_t first, size_t n, float* out);
  /// The logits of row `i` that `query` asks for, and perhaps others, by increasing id: the same floats, from
  /// less memory. The rows that follow are prepared with it, so several are cheapest in order.
  Status candidates(size_t i, const cpu::Query& query, std::vector<cpu::Candidate>& out, ScreenStats& stats);

 private:
  void map(std::vector<cpu::Candidate>& products);

  Head* head_ = nullptr;
  cpu::RowOps* ops_ = nullptr;
  size_t n_ = 0;
  /// Rows for which candidates() has read the output matrix: wholly (floats_ holds the result) or its first
  /// plane.
  struct {
    size_t first = 0, n = 0;
    bool full = false;
  } group_;
  std::vector<float> floats_, mapped_;
};

}  // namespace sterna::head
