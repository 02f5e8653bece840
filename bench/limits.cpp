// The loops of limits.h.
#include "limits.h"

#include <algorithm>
#include <chrono>

#include "sterna/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace sterna::bench {
namespace {

using Clock = std::chrono::steady_clock;

/// Fewest seconds of three calls.
template <class Fn>
double best_of_three(Fn fn) {
  double best = 1e30;
  for (int i = 0; i < 3; i++) {
    const auto start = Clock::now();
    fn();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

constexpr int kRounds = 2'000'000, kChains = 12;  // chains enough to hide the latency of the instruction

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512vnni"), noinline)) void dpbusd512(__m512i* sums) {
  __m512i s[kChains], a = sums[0], b = sums[1];
  for (int i = 0; i < kChains; i++) s[i] = sums[i];
  for (int r = 0; r < kRounds; r++) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; i++) s[i] = _mm512_dpbusd_epi32(s[i], a, b);
    asm volatile("" : "+v"(a), "+v"(b));
  }
  for (int i = 0; i < kChains; i++) sums[i] = s[i];
}

__attribute__((target("avx2"), noinline)) void maddubs256(__m256i* sums) {
  __m256i s[kChains], a = sums[0], b = sums[1];
  for (int i = 0; i < kChains; i++) s[i] = sums[i];
  for (int r = 0; r < kRounds; r++) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; i++) {
      s[i] = _mm256_add_epi16(s[i], _mm256_maddubs_epi16(a, b));
      asm volatile("" : "+x"(a));  // or the product would be computed once
    }
  }
  for (int i = 0; i < kChains; i++) sums[i] = s[i];
}
#elif defined(__aarch64__)
__attribute__((target("arch=armv8.2-a+dotprod"), noinline)) void sdot128(int32x4_t* sums) {
  int32x4_t s[kChains];
  int8x16_t a = vreinterpretq_s8_s32(sums[0]), b = vreinterpretq_s8_s32(sums[1]);
  for (int i = 0; i < kChains; i++) s[i] = sums[i];
  for (int r = 0; r < kRounds; r++) {
    for (int i = 0; i < kChains; i++) s[i] = vdotq_s32(s[i], a, b);
    asm volatile("" : "+w"(a), "+w"(b));
  }
  for (int i = 0; i < kChains; i++) sums[i] = s[i];
}
#endif

/// The loop's rate if this machine has the instruction set.
template <class V>
void add_peak(std::vector<Peak>& peaks, const char* name, const char* isa, void (*loop)(V*)) {
  for (const IsaInfo& i : isas()) {
    if (i.name != isa || !i.supported) continue;
    alignas(64) V sums[kChains] = {};
    const double seconds = best_of_three([&] { loop(sums); });
    peaks.push_back({name, isa, double(sizeof(V)) * kChains * kRounds / seconds});
  }
}

template <int streams>
uint64_t read_all(const uint8_t* p, size_t bytes) {
  const size_t part = bytes / streams / 64 * 64;
  uint64_t s[streams][2] = {};
  for (size_t i = 0; i < part; i += 64) {
#pragma GCC unroll 8
    for (int k = 0; k < streams; k++) {
      const uint8_t* line = p + k * part + i;
      __builtin_prefetch(line + 2048);
      for (int j = 0; j < 8; j++) s[k][j % 2] += reinterpret_cast<const uint64_t*>(line)[j];
    }
  }
  uint64_t sum = 0;
  for (auto& x : s) sum += x[0] + x[1];
  return sum;
}

}  // namespace

std::vector<Peak> integer_peaks() {
  std::vector<Peak> peaks;
#if defined(__x86_64__)
  add_peak(peaks, "vpdpbusd 512", "avx512", dpbusd512);
  add_peak(peaks, "vpmaddubsw+vpaddw 256", "avx2", maddubs256);
#elif defined(__aarch64__)
  add_peak(peaks, "sdot 128", "neon_dotprod", sdot128);
#endif
  return peaks;
}

double read_rate(const uint8_t* p, size_t bytes, int streams) {
  volatile uint64_t sink = 0;
  const double seconds = best_of_three([&] {
    sink = streams == 1   ? read_all<1>(p, bytes)
           : streams == 2 ? read_all<2>(p, bytes)
           : streams == 4 ? read_all<4>(p, bytes)
                          : read_all<8>(p, bytes);
  });
  return double(bytes) / seconds;
}

}  // namespace sterna::bench
