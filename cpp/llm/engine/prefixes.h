// Finds pages of keys and values by the tokens before and in them, so that sequences that begin alike compute
// and keep their beginning once. A page lives as long as a sequence has it; the index holds none alive. Of
// layers whose attention has a window, sequences have the last pages only: they are shared while one is still
// about there.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "llm/engine/sequence.h"

namespace sterna::engine {

class Prefixes {
 public:
  /// Lets others find the pages of `s` from `page` on that are full. They never change afterwards.
  void publish(const Sequence& s, size_t page);
  /// Gives `s` the pages that follow what it has, if that is whole pages, as far as they are known and `ids`
  /// (its tokens and those to come), less the last one, fills them. Returns the number of tokens.
  size_t adopt(Sequence& s, std::span<const int32_t> ids);

 private:
  struct Entry {
    std::vector<int32_t> ids;                       // of all pages up to and with this one
    std::vector<std::weak_ptr<cpu::KvPage>> pages;  // [layer]
    bool dead() const;
  };
  Entry* find(std::span<const int32_t> ids);
  void forget_dead();

  std::unordered_multimap<uint64_t, Entry> entries_;  // by the fingerprint of ids
  size_t next_cleaning_ = 64;
};

}  // namespace sterna::engine
