// The public view of instruction sets and CPUs.
#include "sterna/cpu.h"

#include "base/public_call.h"
#include "kernels/registry.h"
#include "machine/cpus.h"
#include "machine/features.h"

namespace sterna {

std::span<const IsaInfo> isas() {
#define STERNA_ISA_ENTRY(name, needs) {#name, needs, machine::has_##name()},
  static const IsaInfo list[] = {
#include "kernels/isas.inc"
  };
#undef STERNA_ISA_ENTRY
  return list;
}

bool IsaInfo::active() const { return supported && kernels::is_active(name); }

Status force_isa(std::string_view name) {
  return public_call("force_isa", [&](FloatEnvironment&) { return kernels::force_isa(name); });
}

const char* cpu_name() { return machine::cpu_name(); }
int usable_cpus() { return machine::usable_cpus(); }

}  // namespace sterna
