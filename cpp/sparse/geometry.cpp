// Checks the shape of a layer.
#include "sparse/geometry.h"

namespace sterna::sparse {
namespace {

constexpr size_t kMaxVolume = size_t(1) << 20;

Status fill(const char* name, const std::vector<int32_t>& from, size_t dims, int32_t least,
            std::vector<int32_t>* to) {
  *to = from.empty() ? std::vector<int32_t>(dims, least) : from;
  if (to->size() != dims)
    return Status(Code::kInvalidArgument, std::string("[kernel map] ") + name + ", got " + text(from) +
                                              ", expected " + std::to_string(dims) +
                                              " numbers, one for each axis");
  for (const int32_t n : *to)
    if (n < least)
      return Status(Code::kInvalidArgument, std::string("[kernel map] ") + name + ", got " + text(from) +
                                                ", expected at least " + std::to_string(least));
  return {};
}

}  // namespace

std::string text(const std::vector<int32_t>& list) {
  std::string s = "(";
  for (size_t i = 0; i < list.size(); i++) s += (i ? ", " : "") + std::to_string(list[i]);
  return s + ")";
}

Result<Geometry> Geometry::of(const ConvShape& shape, size_t dims) {
  Geometry g;
  STERNA_RETURN_IF_ERROR(fill("kernel", shape.kernel, dims, 1, &g.kernel));
  STERNA_RETURN_IF_ERROR(fill("stride", shape.stride, dims, 1, &g.stride));
  STERNA_RETURN_IF_ERROR(fill("padding", shape.padding, dims, 0, &g.padding));
  STERNA_RETURN_IF_ERROR(fill("dilation", shape.dilation, dims, 1, &g.dilation));
  for (const int32_t n : g.kernel) {
    g.volume *= size_t(n);  // < 2^20 * 2^31
    if (g.volume > kMaxVolume)
      return Status(Code::kInvalidArgument,
                    "[kernel map] kernel, got " + text(g.kernel) + ", expected at most 2^20 offsets");
  }
  return g;
}

}  // namespace sterna::sparse
