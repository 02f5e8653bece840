// Does this machine compute what it should? Run where something looks wrong.
#pragma once

#include <functional>
#include <string>

#include "sterna/status.h"

namespace sterna {

/// One line of `sterna kernels`.
struct KernelInfo {
  std::string name;  ///< "qgemm_w2_row_avx512"
  std::string family, variant, isa;
  bool supported;  ///< This machine can run it.
  bool chosen;     ///< The built-in choice for its variant (choice.h).
};

/// Calls `visit` for every kernel of this build, best instruction set first. Errors: kOutOfMemory.
Status list_kernels(const std::function<void(const KernelInfo&)>& visit);

/// Runs every supported kernel on a fixed input and compares its output bytes with those of the scalar
/// kernel, and the scalar kernel's with a digest recorded when this version was released. `report` gets one
/// line per finding or per kernel checked. Errors: kCorrupt naming "this machine" (scalar differs from the
/// record) or "this kernel" (differs from scalar); kOutOfMemory.
Status selftest_kernels(const std::function<void(const std::string&)>& report);

}  // namespace sterna
