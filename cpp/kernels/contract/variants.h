// variants.inc as typed constants, variants::qgemm::w2_row and so on: what kernels are made from.
#pragma once

#include "kernels/contract/kernel.h"
#include "kernels/contract/qgemm.h"
#include "kernels/contract/tables.h"

namespace sterna::kernels {

/// What a variant of a family is described by; nothing but its name, if not said otherwise.
template <Family>
struct Described {
  struct By {};
};
template <>
struct Described<Family::qgemm> {
  using By = QGemmVariant;
};
template <>
struct Described<Family::tables> {
  using By = TablesVariant;
};

namespace variants {
#define STERNA_VARIANT(family, name, ...)                    \
  namespace family {                                         \
  constexpr Described<Family::family>::By name{__VA_ARGS__}; \
  }
#include "kernels/contract/variants.inc"
#undef STERNA_VARIANT
}  // namespace variants

}  // namespace sterna::kernels
