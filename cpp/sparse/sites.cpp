// Checks sites, numbers and sorts them.
#include "sparse/sites.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>

namespace sterna::sparse {

bool Box::number() {
  uint64_t n = 1;
  for (size_t a = n_axes; a-- > 0;) {
    weight[a] = n;
    if (__builtin_mul_overflow(n, uint64_t(int64_t(high[a]) - low[a] + 1), &n) || n > uint64_t(1) << 63)
      return false;
  }
  return true;
}

std::vector<int32_t> sort_keys(std::vector<uint64_t>& keys) {
  const size_t n = keys.size();
  std::vector<int32_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  if (std::is_sorted(keys.begin(), keys.end())) return order;
  std::vector<int32_t> other_order(n);
  std::vector<uint64_t> other(n);
  const uint64_t most = n ? *std::max_element(keys.begin(), keys.end()) : 0;
  for (int shift = 0; shift < 64 && most >> shift; shift += 8) {
    size_t start[257] = {};
    for (const uint64_t k : keys) start[(k >> shift & 255) + 1]++;
    for (size_t d = 0; d < 256; d++) start[d + 1] += start[d];
    for (size_t i = 0; i < n; i++) {
      const size_t to = start[keys[i] >> shift & 255]++;
      other[to] = keys[i];
      other_order[to] = order[i];
    }
    keys.swap(other);
    order.swap(other_order);
  }
  return order;
}

namespace {

constexpr size_t kMaxSites = std::numeric_limits<int32_t>::max();

std::string text(std::span<const int32_t> list) {
  std::string s = "(";
  for (size_t i = 0; i < list.size(); i++) s += (i ? ", " : "") + std::to_string(list[i]);
  return s + ")";
}

Status bad(const std::string& what) { return Status(Code::kInvalidArgument, "[sites] " + what); }

Status check_grid(std::span<const int32_t> coords, std::span<const int32_t> shape, int32_t batch_size) {
  if (shape.empty() || shape.size() >= kMaxAxes)
    return bad("shape, got " + std::to_string(shape.size()) + " axes, expected 1 to 4");
  for (const int32_t size : shape)
    if (size < 1) return bad("shape, got " + text(shape) + ", expected sizes of at least 1");
  if (batch_size < 1) return bad("batch_size, got " + std::to_string(batch_size) + ", expected at least 1");
  const size_t n_axes = shape.size() + 1;
  if (coords.size() % n_axes)
    return bad("coords, got " + std::to_string(coords.size()) + " numbers, expected rows of " +
               std::to_string(n_axes));
  if (coords.size() / n_axes > kMaxSites)
    return Status(Code::kUnsupported, "[sites] coords, got 2^31 sites or more");
  return {};
}

/// Coordinates within the grid.
Status check_cells(std::span<const int32_t> coords, std::span<const int32_t> shape, int32_t batch_size) {
  const size_t n_axes = shape.size() + 1;
  for (size_t i = 0; i < coords.size(); i++) {
    const size_t axis = i % n_axes;
    const int32_t size = axis ? shape[axis - 1] : batch_size;
    if (coords[i] < 0 || coords[i] >= size)
      return bad("coords[" + std::to_string(i / n_axes) + "], got " + text(coords.subspan(i - axis, n_axes)) +
                 (axis ? ", expected coordinates in a grid of " + text(shape)
                       : ", expected a batch index below " + std::to_string(batch_size)));
  }
  return {};
}

}  // namespace

Result<Sites> sites_of(const Box& box, std::vector<uint64_t> keys, std::vector<int32_t> shape,
                       int32_t batch_size) {
  if (keys.size() > kMaxSites) return Status(Code::kUnsupported, "[sites] got 2^31 sites or more");
  auto sites = std::make_shared<Sites::Impl>();
  sites->box = box, sites->shape = std::move(shape), sites->batch_size = batch_size;
  sites->coords.resize(keys.size() * box.n_axes);
  for (size_t i = 0; i < keys.size(); i++) box.cell(keys[i], &sites->coords[i * box.n_axes]);
  sites->order.resize(keys.size());
  std::iota(sites->order.begin(), sites->order.end(), 0);
  sites->keys = std::move(keys);
  return Sites(std::move(sites));
}

Result<Sites> make_sites(std::span<const int32_t> coords, std::span<const int32_t> shape,
                         int32_t batch_size) {
  STERNA_RETURN_IF_ERROR(check_grid(coords, shape, batch_size));
  STERNA_RETURN_IF_ERROR(check_cells(coords, shape, batch_size));
  auto sites = std::make_shared<Sites::Impl>();
  sites->coords.assign(coords.begin(), coords.end());
  sites->shape.assign(shape.begin(), shape.end());
  sites->batch_size = batch_size;
  Box& box = sites->box;
  box.n_axes = shape.size() + 1;
  const size_t n = coords.size() / box.n_axes;
  for (size_t a = 0; n && a < box.n_axes; a++) {
    box.low[a] = box.high[a] = coords[a];
    for (size_t i = a; i < coords.size(); i += box.n_axes) {
      box.low[a] = std::min(box.low[a], coords[i]);
      box.high[a] = std::max(box.high[a], coords[i]);
    }
  }
  if (!box.number()) return Status(Code::kUnsupported, "[sites] coords lie in a box of more than 2^63 cells");
  sites->keys.resize(n);
  for (size_t i = 0; i < n; i++) sites->keys[i] = box.key(&coords[i * box.n_axes]);
  sites->order = sort_keys(sites->keys);
  for (size_t i = 1; i < n; i++)
    if (sites->keys[i] == sites->keys[i - 1])
      return bad("coords[" + std::to_string(sites->order[i]) + "], got " + text({sites->at(i), box.n_axes}) +
                 ", the site of coords[" + std::to_string(sites->order[i - 1]) + "], expected no site twice");
  return Sites(std::move(sites));
}

}  // namespace sterna::sparse
