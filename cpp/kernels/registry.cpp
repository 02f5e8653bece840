// Gathers the tables of the instruction sets in isas.inc and chooses among their kernels.
#include "kernels/registry.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>

#include "machine/features.h"

namespace sterna::kernels {

#define STERNA_ISA_ENTRY(name, needs) extern const Kernel* const kernels_##name[];
#include "kernels/isas.inc"
#undef STERNA_ISA_ENTRY

namespace {

constexpr size_t kNotForced = ~size_t(0);
std::atomic<size_t> forced_isa{kNotForced};

std::string names() {
  std::string s;
  for (const Isa& i : isas())
    s += std::string(s.empty() ? "" : ", ") + i.name + (i.supported() ? "" : " (not on this machine)");
  return s;
}

/// Position of a name in isas(); their number if it is not there.
size_t position(std::string_view name) {
  size_t i = 0;
  while (i < isas().size() && name != isas()[i].name) i++;
  return i;
}

bool is_auto(std::string_view name) { return name.empty() || name == "auto"; }

std::string_view environment() {
  const char* env = std::getenv("STERNA_ISA");
  return env ? env : "";
}

/// Index of a name in isas(); kNotForced for "" and "auto".
Result<size_t> index_of(std::string_view name, const char* who) {
  if (is_auto(name)) return kNotForced;
  if (const size_t i = position(name); i < isas().size()) {
    if (isas()[i].supported()) return i;
    return Status(Code::kUnsupported, std::string("[") + who + "] instruction set '" + std::string(name) +
                                          "' needs " + isas()[i].requires_ +
                                          ", which this machine lacks; there is: " + names());
  }
  return Status(Code::kUnsupported, std::string("[") + who + "] unknown instruction set '" +
                                        std::string(name) + "'; there is: " + names());
}

std::span<const Kernel* const> until_null(const Kernel* const* table) {
  size_t n = 0;
  while (table[n]) n++;
  return {table, n};
}

size_t first_supported() {
  for (size_t i = 0; i < isas().size(); i++)
    if (isas()[i].supported()) return i;
  return isas().size() - 1;
}

/// Calls more(kernel) for each that may be chosen, the best ISA's first, as long as it returns true.
template <class More>
void visit(Family family, std::string_view variant, More more) {
  for (size_t i = first_active(); i < isas().size(); i++) {
    if (!isas()[i].supported()) continue;
    for (const Kernel* k : isas()[i].kernels)
      if (k->family == family && variant == k->variant && !more(k)) return;
  }
}

}  // namespace

std::span<const Isa> isas() {
#define STERNA_ISA_ENTRY(name, needs) {#name, needs, machine::has_##name, until_null(kernels_##name)},
  static const Isa list[] = {
#include "kernels/isas.inc"
  };
#undef STERNA_ISA_ENTRY
  return list;
}

Result<size_t> first_active_isa() {
  if (const size_t forced = forced_isa.load(); forced != kNotForced) return forced;
  STERNA_ASSIGN(const size_t wanted, index_of(environment(), "STERNA_ISA"));
  return wanted == kNotForced ? first_supported() : wanted;
}

size_t first_active() {
  if (const size_t forced = forced_isa.load(); forced != kNotForced) return forced;
  const size_t wanted = is_auto(environment()) ? isas().size() : position(environment());
  return wanted < isas().size() && isas()[wanted].supported() ? wanted : first_supported();
}

bool isa_is_forced() { return forced_isa.load() != kNotForced || !is_auto(environment()); }

std::vector<const Kernel*> candidates(Family family, std::string_view variant) {
  std::vector<const Kernel*> found;
  visit(family, variant, [&](const Kernel* k) {
    found.push_back(k);
    return true;
  });
  return found;
}

const Kernel* find(Family family, std::string_view variant) {
  const Kernel* found = nullptr;
  visit(family, variant, [&](const Kernel* k) {
    found = k;
    return false;
  });
  return found;
}

const Kernel* find(const QGemmVariant& variant) {
  const char* name = name_of(variant);
  return name ? find(Family::qgemm, name) : nullptr;
}
const Kernel* find(const TablesVariant& variant) {
  const char* name = name_of(variant);
  return name ? find(Family::tables, name) : nullptr;
}

bool is_active(std::string_view name) { return position(name) >= first_active(); }

Status force_isa(std::string_view name) {
  STERNA_ASSIGN(forced_isa, index_of(name, "force_isa"));
  return {};
}

}  // namespace sterna::kernels
