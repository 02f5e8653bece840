// Instruction sets: what this build has, what this machine can run, and which one is in use.
#pragma once

#include <span>
#include <string_view>

#include "sterna/status.h"

namespace sterna {

struct IsaInfo {
  std::string_view name;  ///< "scalar", "avx2", "avxvnni", "avx512", "amx", "neon", "neon_dotprod" and so on
  std::string_view requires_;  ///< The CPU features it needs, in words.
  bool supported;              ///< This machine (CPU and operating system) can run it.
  /// Kernels come from this set or from one below it in the list: as force_isa() and STERNA_ISA say now.
  bool active() const;
};

/// The instruction sets compiled into this build, best first; valid for ever.
std::span<const IsaInfo> isas();

/// Restricts the choice of kernels to `name` and the sets below it; "" or "auto" lifts it. Affects what is
/// loaded or packed afterwards, not existing models. Errors: kUnsupported for a name that is not in isas() or
/// not supported here. The environment variable STERNA_ISA does the same at start; an error in it is reported
/// by the first load() or pack().
Status force_isa(std::string_view name);

/// CPU model name, e.g. "AMD EPYC 9B14"; "unknown" if the system does not tell.
const char* cpu_name();
/// CPUs this process may use: affinity and cgroup quota, at least 1. The default number of threads.
int usable_cpus();

}  // namespace sterna
