// The index of pages.
#include "llm/engine/prefixes.h"

#include <algorithm>

#include "base/fingerprint.h"

namespace sterna::engine {
namespace {

constexpr size_t kPage = cpu::kPagePositions;

uint64_t key(std::span<const int32_t> ids) { return fingerprint(ids.data(), ids.size_bytes()); }

}  // namespace

const Prefixes::Entry* Prefixes::find(std::span<const int32_t> ids) const {
  const auto [begin, end] = entries_.equal_range(key(ids));
  for (auto it = begin; it != end; ++it) {
    const Entry& e = it->second;
    if (std::equal(e.ids.begin(), e.ids.end(), ids.begin(), ids.end()) && !e.pages[0].expired()) return &e;
  }
  return nullptr;
}

void Prefixes::publish(const Sequence& s, size_t page) {
  for (; (page + 1) * kPage <= s.size(); page++) {
    const std::span<const int32_t> ids(s.ids().data(), (page + 1) * kPage);
    if (find(ids)) continue;
    if (entries_.size() >= next_cleaning_) forget_dead();
    Entry entry{{ids.begin(), ids.end()}, {}};
    for (const cpu::KvState& state : s.states()) {
      state.shared(page)->published = true;
      entry.pages.push_back(state.shared(page));
    }
    entries_.emplace(key(ids), std::move(entry));
  }
}

size_t Prefixes::adopt(Sequence& s, std::span<const int32_t> ids) {
  size_t adopted = 0;
  while (s.size() % kPage == 0 && s.size() + kPage < ids.size()) {
    const Entry* entry = find(ids.first(s.size() + kPage));
    if (!entry) break;
    std::vector<std::shared_ptr<cpu::KvPage>> pages;
    for (const auto& page : entry->pages) pages.push_back(page.lock());
    if (std::find(pages.begin(), pages.end(), nullptr) != pages.end()) break;
    s.adopt(ids.subspan(s.size(), kPage), pages);
    adopted += kPage;
  }
  return adopted;
}

void Prefixes::forget_dead() {
  std::erase_if(entries_, [](const auto& e) { return e.second.pages[0].expired(); });
  next_cleaning_ = 2 * entries_.size() + 64;
}

}  // namespace sterna::engine
