// The tile instructions of AMX, with tiles named by number. As inline assembly, because the intrinsics of gcc
// 12 do not tell the compiler what tileloadd and ldtilecfg read, and it drops the stores that they depend on.
#pragma once

#if !defined(__AMX_TILE__) || !defined(__AMX_INT8__)
#error "compile this folder with its flags (cpp/cmake/isa_flags.cmake)"
#endif

#include <cstddef>
#include <cstdint>

namespace {

/// The operand of ldtilecfg: how many rows tile i has, and of how many bytes.
struct TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14]{};
  uint16_t row_bytes[16]{};
  uint8_t rows[16]{};
};
static_assert(sizeof(TileConfig) == 64);

inline void tiles_configure(const TileConfig& config) {
  asm volatile("ldtilecfg %0" ::"m"(config) : "memory");
}
inline void tiles_release() { asm volatile("tilerelease" ::: "memory"); }

template <int tile>
inline void tile_zero() {
  asm volatile("tilezero %%tmm%c0" ::"i"(tile) : "memory");
}
/// Row i from from + i * stride bytes.
template <int tile>
inline void tile_load(const void* from, size_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(tile) : "memory");
}
template <int tile>
inline void tile_store(void* to, size_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(tile) : "memory");
}
/// c[m][n] += sum over k, j of a[m][4k+j] * b[k][4n+j]: int32 from int8 times uint8.
template <int c, int a, int b>
inline void tile_dot_i8_u8() {
  asm volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(c), "i"(a), "i"(b) : "memory");
}

}  // namespace
