// Instruction sets: what this build has, what this machine can run, and which one is in use.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sterna/status.h"

namespace sterna {

struct IsaInfo {
  std::string name;       ///< "scalar", "avx2", "avxvnni", "avx512", "amx", "neon", "neon_dotprod" and so on
  std::string requires_;  ///< The CPU features it needs, in words.
  bool supported;         ///< This machine (CPU and operating system) can run it.
  bool active;            ///< Kernels come from this set or from one below it in the list.
};

/// The instruction sets compiled into this build, best first.
std::vector<IsaInfo> isas();

/// Restricts the choice of kernels to `name` and the sets below it; "" or "auto" lifts it. Affects what is
/// loaded or packed afterwards, not existing models. Errors: kUnsupported for a name that is not in isas() or
/// not supported here. The environment variable STERNA_ISA does the same at start; an error in it is reported
/// by the first load() or pack().
Status force_isa(std::string_view name);

/// CPU model name, e.g. "AMD EPYC 9B14"; "unknown" if the system does not tell.
std::string cpu_name();
/// CPUs this process may use: affinity and cgroup quota, at least 1. The default number of threads.
int usable_cpus();

}  // namespace sterna
