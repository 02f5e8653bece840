// Lookup and detection of duplicates among named things, by a sorted index: n log n for any names.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <vector>

namespace sterna::io {

/// Indices into `items`, ordered by name and then by position.
template <class T>
std::vector<uint32_t> order_by_name(const std::vector<T>& items) {
  std::vector<uint32_t> order(items.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const int c = items[a].name.compare(items[b].name);
    return c != 0 ? c < 0 : a < b;
  });
  return order;
}

/// An item whose name an earlier item has, or null.
template <class T>
const T* find_duplicate(const std::vector<T>& items, const std::vector<uint32_t>& order) {
  const auto same = [&](uint32_t a, uint32_t b) { return items[a].name == items[b].name; };
  const auto it = std::adjacent_find(order.begin(), order.end(), same);
  return it == order.end() ? nullptr : &items[*(it + 1)];
}

/// The item with that name, or null.
template <class T>
const T* find_by_name(const std::vector<T>& items, const std::vector<uint32_t>& order,
                      std::string_view name) {
  const auto less = [&](uint32_t i, std::string_view n) { return items[i].name < n; };
  const auto it = std::lower_bound(order.begin(), order.end(), name, less);
  return it != order.end() && items[*it].name == name ? &items[*it] : nullptr;
}

}  // namespace sterna::io
