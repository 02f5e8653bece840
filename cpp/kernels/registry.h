// The list of all kernels of this build, and the choice among them.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "kernels/contract/kernel.h"
#include "kernels/names.h"
#include "sterna/status.h"

namespace sterna::kernels {

struct Isa {
  const char* name;
  const char* requires_;
  bool (*supported)();
  std::span<const Kernel* const> kernels;
};

/// The instruction sets of this build, best first (isas.inc).
std::span<const Isa> isas();

/// The best kernel of a family and variant that this machine and the forced ISA allow. Never fails for a
/// variant in the lists: scalar has them all. Null for an unknown variant.
const Kernel* find(Family family, std::string_view variant);
/// The same by a typed entry.
const Kernel* find(const QGemmVariant& variant);
const Kernel* find(const TablesVariant& variant);

/// All kernels of a family and variant that this machine and the forced ISA allow, the best ISA's first.
std::vector<const Kernel*> candidates(Family family, std::string_view variant);

/// The best function of a family and variant; Fn must be the family's function type.
template <class Fn>
Fn* find_fn(Family family, std::string_view variant) {
  const Kernel* k = find(family, variant);
  return k ? as<Fn>(*k) : nullptr;
}
/// The same by a typed entry.
inline QGemmFn* find_fn(const QGemmVariant& variant) {
  const Kernel* k = find(variant);
  return k ? as<QGemmFn>(*k) : nullptr;
}
inline TablesFn* find_fn(const TablesVariant& variant) {
  const Kernel* k = find(variant);
  return k ? as<TablesFn>(*k) : nullptr;
}
/// Makes the tables that kernels for codes of `bits` bits, 1 or 2, look up for a row of activations:
/// table_bytes() at `to`.
inline void make_tables(const int8_t* act, size_t n_chunks, int bits, uint8_t* to) {
  find_fn(TablesVariant{bits})({act, n_chunks, tables_at(to, n_chunks, bits)});
}

/// Whether force_isa() or STERNA_ISA restricts the choice.
bool isa_is_forced();

/// Index in isas() below which kernels are not chosen (0 = the best supported); kUnsupported if STERNA_ISA is
/// wrong.
Result<size_t> first_active_isa();
/// The same without an error: a wrong STERNA_ISA counts as none. Like find(), it allocates nothing.
size_t first_active();
/// Whether kernels may come from the instruction set of this name.
bool is_active(std::string_view isa);
/// What sterna::force_isa() does.
Status force_isa(std::string_view name);

}  // namespace sterna::kernels
