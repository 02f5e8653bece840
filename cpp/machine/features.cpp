// CPU detection by the compiler's cpuid helper (which also checks that the operating system saves the
// registers) on x86 and by the kernel's hardware capabilities on ARM.
#include "machine/features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace sterna::machine {

bool has_scalar() { return true; }

#if defined(__x86_64__)
namespace {
bool detect_avx2() {
  unsigned eax, ebx, ecx = 0, edx;  // clang 16's builtin does not know "f16c": leaf 1, ecx bit 29
  const bool f16c = __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx >> 29 & 1);
  return f16c && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
bool detect_avx512() {
  return detect_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vnni");
}
bool detect_avx512_vbmi() { return detect_avx512() && __builtin_cpu_supports("avx512vbmi"); }
bool detect_avxvnni() {
  unsigned eax, ebx, ecx, edx;
  return detect_avx2() && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax >> 4 & 1);
}
bool detect_amx() {
#if defined(__linux__)
  unsigned eax, ebx, ecx, edx;
  if (!detect_avx512_vbmi() || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return false;
  // Documentation/arch/x86/xstate.rst of Linux: it saves tile data (feature 18) for processes that ask.
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  const bool tile = edx >> 24 & 1, int8 = edx >> 25 & 1;
  return tile && int8 && syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
}  // namespace

// Asked once: in a virtual machine every cpuid instruction costs tens of microseconds.
#define STERNA_ONCE(isa)                    \
  bool has_##isa() {                        \
    static const bool has = detect_##isa(); \
    return has;                             \
  }
STERNA_ONCE(avx2)
STERNA_ONCE(avxvnni)
STERNA_ONCE(avx512)
STERNA_ONCE(avx512_vbmi)
STERNA_ONCE(amx)
#undef STERNA_ONCE
#else
bool has_avx2() { return false; }
bool has_avxvnni() { return false; }
bool has_avx512() { return false; }
bool has_avx512_vbmi() { return false; }
bool has_amx() { return false; }
#endif

#if defined(__aarch64__)
bool has_neon() { return true; }
bool has_neon_dotprod() {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
  return true;  // every 64-bit Apple CPU since 2018
#endif
}
/// Linux only: on Apple's systems nothing asks yet.
bool has_neon_i8mm() {
#if defined(__linux__)
  constexpr unsigned long i8mm = 1ul << 13;  // HWCAP2_I8MM, absent from old headers
  return has_neon_dotprod() && (getauxval(AT_HWCAP2) & i8mm) != 0;
#else
  return false;
#endif
}
#else
bool has_neon() { return false; }
bool has_neon_dotprod() { return false; }
bool has_neon_i8mm() { return false; }
#endif

}  // namespace sterna::machine
