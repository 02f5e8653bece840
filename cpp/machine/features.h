// Which instruction sets this CPU and operating system can run.
#pragma once

namespace sterna::machine {

// One predicate per entry of kernels/isas.inc.
bool has_scalar();
bool has_avx2();
bool has_avxvnni();
bool has_avx512();
bool has_avx512_vbmi();
/// Asks Linux, once per process, for the permission to use tiles; false if it refuses.
bool has_amx();
bool has_neon();
bool has_neon_dotprod();
bool has_neon_i8mm();

}  // namespace sterna::machine
