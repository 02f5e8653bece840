// The merging that both kinds of vocabulary share: of all pairs of neighbours the best one is joined, again
// and again.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sterna::text {

/// A part of a word; symbols of a word lie side by side and are linked.
struct Symbol {
  size_t begin, size;  ///< Bytes of the text; size 0: merged into its left neighbour.
  size_t previous, next;
  int32_t id;  ///< The caller's.
};

/// How well two symbols join: the lowest rank goes first.
struct Join {
  double rank;
  int32_t id;  ///< Of the result; negative: the two cannot be joined.
};

/// Reusable, so that the memory of one word serves the next. n symbols take O(n log n) time.
class SymbolMerger {
 public:
  static constexpr size_t kNone = SIZE_MAX;

  void clear() { symbols_.clear(); }
  void add(size_t begin, size_t size, int32_t id) {
    const size_t at = symbols_.size();
    if (at > 0) symbols_.back().next = at;
    symbols_.push_back({begin, size, at - 1, kNone, id});  // at - 1 is kNone for the first.
  }

  /// Joins the pair with the lowest rank, the leftmost of equals, until join(left, right) finds none. It is
  /// asked once for each pair of neighbours that ever was.
  template <class Find>
  void merge(Find join) {
    heap_.clear();
    for (size_t i = 0; i + 1 < symbols_.size(); ++i) consider(i, i + 1, join);
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end());
      const Candidate best = heap_.back();
      heap_.pop_back();
      Symbol& left = symbols_[best.left];
      if (left.size == 0 || left.next == kNone) continue;
      Symbol& right = symbols_[left.next];
      // Symbols only grow, so any merge of either since then shows in the sum.
      if (left.size + right.size != best.size) continue;
      left.size = best.size;
      left.id = best.id;
      left.next = right.next;
      right.size = 0;
      if (left.next != kNone) {
        symbols_[left.next].previous = best.left;
        consider(best.left, left.next, join);
      }
      if (left.previous != kNone) consider(left.previous, best.left, join);
    }
  }

  /// Calls use(symbol) for those that are left, in order.
  template <class Use>
  void for_each(Use use) const {
    for (size_t i = symbols_.empty() ? kNone : 0; i != kNone; i = symbols_[i].next) use(symbols_[i]);
  }

 private:
  struct Candidate {
    double rank;
    size_t left, size;
    int32_t id;
    /// For the standard heap, which has the greatest on top.
    bool operator<(const Candidate& o) const { return rank != o.rank ? rank > o.rank : left > o.left; }
  };

  template <class Find>
  void consider(size_t left, size_t right, Find& join) {
    const Join j = join(symbols_[left], symbols_[right]);
    if (j.id < 0) return;
    heap_.push_back({j.rank, left, symbols_[left].size + symbols_[right].size, j.id});
    std::push_heap(heap_.begin(), heap_.end());
  }

  std::vector<Symbol> symbols_;
  std::vector<Candidate> heap_;
};

}  // namespace sterna::text
