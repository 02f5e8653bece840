// Growing and sharing sequences.
#include "llm/engine/sequence.h"

#include <algorithm>

namespace sterna::engine {

size_t Sequence::keep_common(std::span<const int32_t> ids, size_t most) {
  const size_t n = std::min({ids_.size(), ids.size(), most});
  size_t common =
      size_t(std::mismatch(ids.begin(), ids.begin() + ptrdiff_t(n), ids_.begin()).first - ids.begin());
  if (!keeps(common)) common = 0;
  truncate(common);
  return common;
}

bool Sequence::keeps(size_t n) const {
  return std::all_of(states_.begin(), states_.end(), [&](const cpu::KvState& s) { return s.keeps(n); });
}

void Sequence::forget_unseen() {
  for (cpu::KvState& s : states_) s.forget_unseen(size());
}

Sequence Sequence::fork() const {
  Sequence other = *this;
  for (size_t i = 0; i < states_.size(); i++) other.states_[i] = states_[i].fork(size());
  return other;
}

Status Sequence::extend(size_t n) {
  for (cpu::KvState& s : states_) STERNA_RETURN_IF_ERROR(s.extend(size(), n));
  return {};
}

void Sequence::adopt(std::span<const int32_t> ids, std::span<const std::shared_ptr<cpu::KvPage>> pages) {
  for (size_t i = 0; i < states_.size(); i++) states_[i].adopt(size() / cpu::kPagePositions, pages[i]);
  append(ids);
}

}  // namespace sterna::engine
