// Gathers the tables of the instruction sets in isas.inc and chooses among their kernels.
#include "kernels/registry.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>

#include "cpu/features.h"
#include "sterna/cpu.h"

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

/// Index of a name in isas(); kNotForced for "" and "auto".
Result<size_t> index_of(std::string_view name, const char* who) {
  if (name.empty() || name == "auto") return kNotForced;
  for (size_t i = 0; i < isas().size(); i++) {
    if (name != isas()[i].name) continue;
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

}  // namespace

std::span<const Isa> isas() {
#define STERNA_ISA_ENTRY(name, needs) {#name, needs, cpu::has_##name, until_null(kernels_##name)},
  static const Isa list[] = {
#include "kernels/isas.inc"
  };
#undef STERNA_ISA_ENTRY
  return list;
}

Result<size_t> first_active_isa() {
  if (const size_t forced = forced_isa.load(); forced != kNotForced) return forced;
  const char* env = std::getenv("STERNA_ISA");
  STERNA_ASSIGN(const size_t wanted, index_of(env ? env : "", "STERNA_ISA"));
  return wanted == kNotForced ? first_supported() : wanted;
}

bool isa_is_forced() {
  const char* env = std::getenv("STERNA_ISA");
  return forced_isa.load() != kNotForced || !(!env || !*env || env == std::string_view("auto"));
}

std::vector<const Kernel*> candidates(Family family, std::string_view variant) {
  std::vector<const Kernel*> found;
  const auto first = first_active_isa();
  for (size_t i = first.ok() ? first.value() : first_supported(); i < isas().size(); i++) {
    if (!isas()[i].supported()) continue;
    for (const Kernel* k : isas()[i].kernels)
      if (k->family == family && variant == k->variant) found.push_back(k);
  }
  return found;
}

const Kernel* find(Family family, std::string_view variant) {
  const auto all = candidates(family, variant);
  return all.empty() ? nullptr : all.front();
}

std::string full_name(const Kernel& k) {
  return std::string(k.family_name) + "_" + k.variant + (*k.algorithm ? "_" : "") + k.algorithm + "_" + k.isa;
}

}  // namespace sterna::kernels

namespace sterna {

std::vector<IsaInfo> isas() {
  const auto first = kernels::first_active_isa();
  std::vector<IsaInfo> out;
  for (size_t i = 0; i < kernels::isas().size(); i++) {
    const kernels::Isa& isa = kernels::isas()[i];
    out.push_back(
        {isa.name, isa.requires_, isa.supported(), isa.supported() && first.ok() && i >= first.value()});
  }
  return out;
}

Status force_isa(std::string_view name) {
  STERNA_ASSIGN(const size_t index, kernels::index_of(name, "force_isa"));
  kernels::forced_isa = index;
  return {};
}

}  // namespace sterna
