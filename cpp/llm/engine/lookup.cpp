// One backward scan per proposal: a context of 100,000 tokens takes tens of microseconds, a pass
// milliseconds.
#include "llm/engine/lookup.h"

#include <algorithm>

namespace sterna::engine {
namespace {

constexpr size_t kMinMatch = 2, kMaxMatch = 6;

}  // namespace

std::vector<int32_t> Lookup::propose(std::span<const int32_t> history, size_t room) const {
  const size_t n = std::min(draft_, room), end = history.size();
  if (n == 0 || end == 0) return {};
  size_t best = least_match_ - 1, from = end;
  for (size_t at = end - 1; at-- > 0 && best < kMaxMatch;) {  // an occurrence whose last token is at `at`
    size_t match = 0;
    while (match < kMaxMatch && match <= at && history[at - match] == history[end - 1 - match]) match++;
    if (match > best) best = match, from = at + 1;
  }
  if (from == end) return {};
  // As in LZ77 the copy may run into itself: a repetition of period p is continued for any length.
  std::vector<int32_t> draft;
  for (size_t i = 0; i < n; i++) draft.push_back(from + i < end ? history[from + i] : draft[from + i - end]);
  return draft;
}

void Lookup::learn(size_t proposed, size_t accepted) {
  if (proposed == 0) return;
  draft_ = std::min(max_draft_, accepted == proposed ? 2 * draft_ : accepted + 1);
  least_match_ = accepted ? kMinMatch : std::min(kMaxMatch, least_match_ + 1);
}

}  // namespace sterna::engine
