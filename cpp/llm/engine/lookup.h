// Prompt lookup: guesses the next tokens from what followed the same tokens earlier in the context. Right
// guesses are verified in one pass instead of one each; a wrong guess costs time, never another result.
// Method: prompt lookup decoding (A. Saxena, 2023), here with drafts that adapt to how often they come true.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sterna::engine {

class Lookup {
 public:
  /// max_draft 0: never proposes.
  explicit Lookup(size_t max_draft) : max_draft_(max_draft), draft_(max_draft) {}

  /// The tokens that followed the latest of the longest earlier occurrences of the end of `history`, at most
  /// `room` of them; none if there is no occurrence worth a try.
  std::vector<int32_t> propose(std::span<const int32_t> history, size_t room) const;

  /// Tells how many tokens of a proposal came true: fewer make the next proposals shorter and need a longer
  /// occurrence.
  void learn(size_t proposed, size_t accepted);

 private:
  size_t max_draft_;
  size_t draft_;            ///< Tokens to propose now, 1..max_draft.
  size_t least_match_ = 2;  ///< Tokens that an occurrence must share with the end, kMinMatch..kMaxMatch.
};

}  // namespace sterna::engine
