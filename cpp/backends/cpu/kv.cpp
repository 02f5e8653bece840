// The types of keys and values by name, and the pages of a sequence.
#include "backends/cpu/kv.h"

#include <algorithm>
#include <string>
#include <utility>

namespace sterna::cpu {

#define STERNA_KV_TYPE(name, make) std::unique_ptr<const KvType> make(const KvShape& shape);
#include "backends/cpu/kv_types.inc"
#undef STERNA_KV_TYPE

namespace {

struct Entry {
  std::string_view name;
  std::unique_ptr<const KvType> (*make)(const KvShape&);
};
#define STERNA_KV_TYPE(name, make) {name, make},
constexpr Entry kTypes[] = {
#include "backends/cpu/kv_types.inc"
};
#undef STERNA_KV_TYPE

const Entry* find(std::string_view name) {
  const auto it =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const Entry& e) { return e.name == name; });
  return it == std::end(kTypes) ? nullptr : it;
}

}  // namespace

Status check_kv_type(std::string_view name) {
  if (find(name)) return {};
  std::string known;
  for (const Entry& e : kTypes) known += (known.empty() ? "'" : " or '") + std::string(e.name) + "'";
  return Status(Code::kInvalidArgument, "[load] kv_type, got '" + std::string(name) + "', expected " + known);
}

std::unique_ptr<const KvType> make_kv_type(std::string_view name, const KvShape& shape) {
  return find(name)->make(shape);
}

Status KvState::extend(size_t first, size_t n) {
  const size_t begin = first / kPagePositions, end = (first + n + kPagePositions - 1) / kPagePositions;
  forget_unseen(first);
  if (window_ != kNoWindow && pages_.size() > end) pages_.resize(end);
  for (size_t i = begin; i < end; i++) {
    if (i < pages_.size() && pages_[i] && pages_[i].use_count() == 1 && !pages_[i]->published) continue;
    auto page = std::make_shared<KvPage>();
    page->bytes = Buffer::allocate(type_->page_bytes());
    if (page->bytes.empty())
      return Status(Code::kOutOfMemory, "[model] no memory for the keys and values of " +
                                            std::to_string(first + n) + " tokens; use a smaller n_ctx");
    if (const size_t kept = i == begin ? first % kPagePositions : 0)
      type_->copy(pages_[i]->bytes.data(), kept, page->bytes.data());
    if (i < pages_.size())
      pages_[i] = std::move(page);
    else
      pages_.push_back(std::move(page));
  }
  return {};
}

bool KvState::keeps(size_t n) const {
  for (size_t i = first_seen(n, window_) / kPagePositions; i * kPagePositions < n; i++)
    if (!pages_[i]) return false;
  return true;
}

void KvState::forget_unseen(size_t n) {
  size_t i = std::min(first_seen(n, window_) / kPagePositions, pages_.size());
  for (; i > 0 && pages_[i - 1]; i--) pages_[i - 1].reset();
}

KvState KvState::fork(size_t n) const {
  KvState other(*type_, window_);
  other.pages_.assign(pages_.begin(), pages_.begin() + ptrdiff_t((n + kPagePositions - 1) / kPagePositions));
  return other;
}

void KvState::adopt(size_t i, std::shared_ptr<KvPage> page) {
  pages_.resize(i);
  pages_.push_back(std::move(page));
}

}  // namespace sterna::cpu
