// What a layer's kernel is, checked: one number of each kind for each axis.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sterna/point_cloud.h"

namespace sterna::sparse {

struct Geometry {
  std::vector<int32_t> kernel, stride, padding, dilation;
  size_t volume = 1;

  /// kInvalidArgument naming the list.
  static Result<Geometry> of(const ConvShape& shape, size_t dims);
  size_t dims() const { return kernel.size(); }
  /// The place of an offset in the kernel, the last axis fastest.
  void offset(size_t k, int32_t* place) const {
    for (size_t a = dims(); a-- > 0; k /= size_t(kernel[a])) place[a] = int32_t(k % size_t(kernel[a]));
  }
};

/// "(3, 3, 1)"
std::string text(const std::vector<int32_t>& list);

}  // namespace sterna::sparse
