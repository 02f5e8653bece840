// The list of kinds of terms.
#include "backends/cpu/terms/term.h"

#include <algorithm>

namespace sterna::cpu {

std::span<const TermKind* const> term_kinds() {
#define STERNA_TERM(name) &terms::name,
  static constexpr const TermKind* kList[] = {
#include "backends/cpu/terms/terms.inc"
  };
#undef STERNA_TERM
  return kList;
}

const TermKind& term_kind(const TensorRows& tensor) {
  const auto all = term_kinds();
  return **std::find_if(all.begin(), all.end(), [&](const TermKind* k) {
    return k->tensors.data() == kWeight && k->accepts({&tensor, 1});
  });
}

}  // namespace sterna::cpu
