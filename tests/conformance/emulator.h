// Runs kernels whose instructions this CPU lacks: AVX-VNNI's vpdpbusd and the tile instructions of AMX are
// executed in software when they trap (SIGILL), so that the very machine code of the library is tested on
// other machines. That proves the code right as far as emulator.cpp reads the manual right: operand order,
// shapes, strides, which bytes are read and written, that tiles are configured before and released after. It
// proves nothing about speed, a system's permission to use tiles, or tile state across threads and switches.
#pragma once

#include <signal.h>

#include <string>

namespace sterna::testing {

/// Whether kernels of this instruction set, which the CPU lacks, can be run under an Emulation.
bool can_emulate(const std::string& isa);

/// While it lives, the instructions work. What the real ones refuse (a tile without configuration, shapes
/// that do not fit) stays an illegal instruction, which ends the tests.
class Emulation {
 public:
  explicit Emulation(const std::string& isa);
  ~Emulation();
  Emulation(const Emulation&) = delete;
  Emulation& operator=(const Emulation&) = delete;

  /// "", or what a kernel left behind that it should not.
  std::string leftovers() const;

 private:
  const bool active_;
  struct sigaction old_ {};
};

}  // namespace sterna::testing
