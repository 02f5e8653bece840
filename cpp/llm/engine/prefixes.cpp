// The index of pages.
#include "llm/engine/prefixes.h"

#include <algorithm>

#include "base/fingerprint.h"

namespace sterna::engine {
namespace {

constexpr size_t kPage = cpu::kPagePositions;

uint64_t key(std::span<const int32_t> ids) { return fingerprint(ids.data(), ids.size_bytes()); }

/// The pages of one place of a sequence, one for each layer.
using Pages = std::vector<std::shared_ptr<cpu::KvPage>>;

/// Whether `s` could go on behind these pages: all are there of which a position to come sees something.
bool complete(const Sequence& s, const std::vector<Pages>& next) {
  const size_t begin = s.size() / kPage, end = begin + next.size();
  for (size_t layer = 0; layer < s.states().size(); layer++)
    for (size_t i = cpu::first_seen(end * kPage, s.states()[layer].window()) / kPage; i < end; i++)
      if (i >= begin && !next[i - begin][layer]) return false;
  return true;
}

}  // namespace

bool Prefixes::Entry::dead() const {
  return std::all_of(pages.begin(), pages.end(), [](const auto& page) { return page.expired(); });
}

Prefixes::Entry* Prefixes::find(std::span<const int32_t> ids) {
  const auto [begin, end] = entries_.equal_range(key(ids));
  for (auto it = begin; it != end; ++it) {
    Entry& e = it->second;
    if (std::equal(e.ids.begin(), e.ids.end(), ids.begin(), ids.end()) && !e.dead()) return &e;
  }
  return nullptr;
}

void Prefixes::publish(const Sequence& s, size_t page) {
  if (s.foreign()) return;
  for (; (page + 1) * kPage <= s.size(); page++) {
    const std::span<const int32_t> ids(s.ids().data(), (page + 1) * kPage);
    Entry* entry = find(ids);
    if (!entry) {
      if (entries_.size() >= next_cleaning_) forget_dead();
      entry = &entries_.emplace(key(ids), Entry{{ids.begin(), ids.end()}, {}})->second;
      entry->pages.resize(s.states().size());
    }
    for (size_t layer = 0; layer < s.states().size(); layer++) {
      if (!entry->pages[layer].expired()) continue;
      const std::shared_ptr<cpu::KvPage>& shared = s.states()[layer].shared(page);
      shared->published = true;
      entry->pages[layer] = shared;
    }
  }
}

size_t Prefixes::adopt(Sequence& s, std::span<const int32_t> ids) {
  std::vector<Pages> next;
  for (size_t end = s.size() + kPage; s.size() % kPage == 0 && end < ids.size(); end += kPage) {
    const Entry* entry = find(ids.first(end));
    if (!entry) break;
    Pages& pages = next.emplace_back();
    for (const auto& page : entry->pages) pages.push_back(page.lock());
  }
  while (!next.empty() && !complete(s, next)) next.pop_back();
  for (const Pages& pages : next) s.adopt(ids.subspan(s.size(), kPage), pages);
  return next.size() * kPage;
}

void Prefixes::forget_dead() {
  std::erase_if(entries_, [](const auto& e) { return e.second.dead(); });
  next_cleaning_ = 2 * entries_.size() + 64;
}

}  // namespace sterna::engine
