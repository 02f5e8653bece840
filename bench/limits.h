// What bounds a kernel on this machine, measured with loops that do nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sterna::bench {

/// Multiply-accumulates per second of one thread that repeats a set's integer product on registers.
struct Peak {
  std::string name;  ///< "vpdpbusd 512"
  std::string isa;   ///< The kernels whose inner loop it is; the name of an instruction set.
  double macs;
};
std::vector<Peak> integer_peaks();

/// Bytes per second of one thread that reads `bytes` at `p` as `streams` (1, 2, 4 or 8) equal parts side by
/// side, with prefetch 2 KB ahead as the kernels do; the best of three passes.
double read_rate(const uint8_t* p, size_t bytes, int streams);

}  // namespace sterna::bench
