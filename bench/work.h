// What a benchmark of a kernel does in one call, made by a function per family (work_*.cpp, one for each
// contract header).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/names.h"
#include "machine/memory.h"

namespace sterna::bench {

struct Shape {
  std::string name;
  size_t rows, depth;
};

struct Work {
  double macs = 0;   ///< Per call.
  double bytes = 0;  ///< Of weights per call; of inputs and outputs for the small operations.
  std::function<void(size_t call)> run;
};

/// Weights of a benchmark: `copies` times `bytes`, in huge pages as those of a model are. One buffer serves
/// all benchmarks in turn.
class Weights {
 public:
  uint8_t* resize(size_t bytes, size_t cold_mb) {
    bytes_ = (bytes + 63) / 64 * 64;
    copies_ = std::max<size_t>(1, (cold_mb << 20) / std::max<size_t>(bytes_, 1));
    if (buffer_.bytes() < bytes_ * copies_) buffer_ = Buffer::allocate(bytes_ * copies_, /*huge=*/true);
    return copy(0);
  }
  uint8_t* copy(size_t i) { return buffer_.data() + i % copies_ * bytes_; }
  size_t copies() const { return copies_; }
  size_t bytes() const { return bytes_; }  ///< Of one copy.

 private:
  Buffer buffer_;
  size_t bytes_ = 0, copies_ = 1;
};

/// What a matmul is measured on. Other families use the depth alone.
struct Case {
  const Shape& shape;
  size_t tokens, cold_mb, streams;
  Weights& weights;
};

#define STERNA_FAMILY(name, function, what) Work work_##name(const kernels::Kernel& kernel, const Case& c);
#include "kernels/contract/families.inc"
#undef STERNA_FAMILY

/// Larger matrices are cut to this: the rates are the same and the memory of a small machine suffices.
constexpr size_t kMaxMatrixBytes = size_t(512) << 20;

/// Fills with bytes that are the same in every run, enough of them to hide no pattern from a branch or a
/// prefetcher.
void fill_noise(uint8_t* p, size_t n);
/// Numbers in [-1, 1).
float noise_float(size_t i);
std::vector<float> noise_floats(size_t n);

}  // namespace sterna::bench
