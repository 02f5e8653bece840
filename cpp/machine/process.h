// What a process has to know of its own past.
#pragma once

#include <cstdint>

namespace sterna::machine {

/// Grows in every forked child.
uint32_t fork_generation();

}  // namespace sterna::machine
