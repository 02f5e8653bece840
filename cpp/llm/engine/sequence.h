// A sequence: its tokens and what the model keeps for them. Not the model: any number may share one.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backends/cpu/kv.h"
#include "llm/models/decoder.h"
#include "sterna/status.h"

namespace sterna::engine {

class Sequence {
 public:
  /// Empty; at most n_ctx tokens.
  Sequence(const models::Decoder& decoder, size_t n_ctx) : n_ctx_(n_ctx), states_(decoder.new_states()) {}

  const std::vector<int32_t>& ids() const { return ids_; }
  size_t size() const { return ids_.size(); }
  size_t n_ctx() const { return n_ctx_; }
  std::span<const cpu::KvState> states() const { return states_; }

  /// Room for the ids of most contexts, so that growing needs no memory for them.
  void reserve_ids() { ids_.reserve(n_ctx_ < 65536 ? n_ctx_ : 65536); }
  /// Whether the first n tokens can go on: of attention with a window, what they are to see may be forgotten.
  /// Always true of none of them, and of any that were there when the last pass began.
  bool keeps(size_t n) const;
  /// Forgets all but the first n tokens, which it keeps(); their memory stays for the next ones.
  void truncate(size_t n) { ids_.resize(n); }
  /// Keeps what it has in common with the beginning of `ids`, at most `most` tokens, or nothing if that
  /// cannot go on; how many that are.
  size_t keep_common(std::span<const int32_t> ids, size_t most);
  /// The same tokens, sharing memory until one of the two changes.
  Sequence fork() const;
  /// What it keeps was not computed here, but read from a file: it is not to be shared with other sequences.
  void set_foreign() { foreign_ = true; }
  bool foreign() const { return foreign_; }

  /// Pages for n tokens more, whose keys and values a pass then stores; afterwards append() them.
  /// kOutOfMemory.
  Status extend(size_t n);
  /// Lets go of what no token to come sees, as extend() does before it makes pages.
  void forget_unseen();
  void append(std::span<const int32_t> ids) { ids_.insert(ids_.end(), ids.begin(), ids.end()); }
  /// Appends a whole page of another sequence, one shared page for each layer.
  void adopt(std::span<const int32_t> ids, std::span<const std::shared_ptr<cpu::KvPage>> pages);

 private:
  size_t n_ctx_;
  bool foreign_ = false;
  std::vector<int32_t> ids_;
  std::vector<cpu::KvState> states_;  // [layer]
};

}  // namespace sterna::engine
