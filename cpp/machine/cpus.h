// The name of the CPU and how many of them this process may use.
#pragma once

namespace sterna::machine {

/// As in sterna/cpu.h.
const char* cpu_name();
int usable_cpus();

}  // namespace sterna::machine
