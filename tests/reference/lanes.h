// The lane rule: a float sum over i = 0 .. n-1 uses 16 partial sums from +0; element i goes to partial i % 16
// in increasing i; then the partials are added as a tree, s[j] += s[j+8] for j < 8, then +4, +2, +1.
#pragma once

#include <cmath>
#include <cstddef>

namespace sterna::reference {

class LaneSum {
 public:
  void add(size_t i, float x) { s_[i % 16] += x; }
  void add_product(size_t i, float x, float y) { s_[i % 16] = std::fma(x, y, s_[i % 16]); }
  float total() const {
    float s[16];
    for (int j = 0; j < 16; ++j) s[j] = s_[j];
    for (int half = 8; half > 0; half /= 2) {
      for (int j = 0; j < half; ++j) s[j] += s[j + half];
    }
    return s[0];
  }

 private:
  float s_[16] = {};
};

}  // namespace sterna::reference
