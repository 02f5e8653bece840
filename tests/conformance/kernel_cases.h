// What the conformance tests of all kernel families share: which kernels to run, whether all of them were,
// test numbers and the comparison of outputs.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "conformance/emulator.h"
#include "conformance/guarded.h"
#include "fast.h"
#include "kernels/registry.h"

namespace sterna::testing {

inline std::string title(const kernels::Kernel& k) { return kernels::full_name(k); }

/// The instruction sets that this machine can run, best first, found without the library's own detection.
std::vector<std::string> isas_of_cpu();

/// Which families have a test of this kind; see KernelsOf.
bool record_conformance_test(kernels::Family family);

/// The kernels of one family that this machine can run or emulate, and the record of which of them ran.
class Kernels {
 public:
  explicit Kernels(kernels::Family family);

  /// All variants of the family in any of those lists.
  std::vector<std::string> variants() const;

  /// Calls test(kernel) for each kernel of the variant, with the kernel's name in doctest's context, until
  /// one CHECK fails: `test` returns an error, or "" if all is well.
  template <class Test>
  void run(const std::string& variant, const std::string& what, Test test) {
    for (Entry& e : entries_) {
      if (e.failed || variant != e.kernel->variant) continue;
      const std::string name = title(*e.kernel) + ": " + what;
      INFO(name);
      const FaultContext context(name);
      const Emulation emulation(e.isa);
      ++e.runs;
      std::string error = test(*e.kernel);
      if (error.empty()) error = emulation.leftovers();
      e.failed = !error.empty();
      CHECK_MESSAGE(error.empty(), error);
    }
  }

  /// Fails unless every kernel ran, lists that are complete have all variants of scalar, and the best ISA of
  /// this CPU was among them.
  void check_covered() const;

 private:
  struct Entry {
    const kernels::Kernel* kernel;
    std::string isa;
    size_t runs = 0;
    bool failed = false;  ///< One report per kernel is enough.
  };
  std::vector<Entry> entries_;
};

/// The same, and at the start of the program the record that this family has a conformance test.
template <kernels::Family family>
struct KernelsOf : Kernels {
  KernelsOf() : Kernels(family) { (void)recorded; }
  static inline const bool recorded = record_conformance_test(family);
};

/// Equal bits on every machine, which the standard distributions do not promise (splitmix64).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  int between(int low, int high) { return low + int((next() >> 32) * uint64_t(high - low + 1) >> 32); }
  float uniform(float low, float high) { return low + (high - low) * (float(next() >> 40) * 0x1p-24f); }

 private:
  uint64_t state_;
};

/// Kinds of float inputs. All but kNan keep every kernel's arithmetic comparable bit for bit.
enum class Floats { kRandom, kZeros, kDenormals, kHuge, kMixed, kNan };
constexpr Floats kComparableFloats[] = {Floats::kRandom, Floats::kZeros, Floats::kDenormals, Floats::kHuge,
                                        Floats::kMixed};
std::string name(Floats kind);
std::vector<float> floats(Floats kind, size_t n, uint64_t seed);

/// Bits equal; a NaN equals any NaN, since IEEE leaves its sign and payload open.
bool same(float a, float b);

/// "" or the first difference.
std::string compare(const float* got, const float* want, size_t n);
template <class Int>
std::string compare_ints(const char* what, const Int* got, const Int* want, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    if (got[i] != want[i]) {
      return std::string(what) + "[" + std::to_string(i) + "]: got " + std::to_string(got[i]) +
             ", expected " + std::to_string(want[i]);
    }
  }
  return "";
}

/// An output rectangle out[t * stride + r] in a guarded buffer; what lies around it must stay as it is.
class OutputRectangle {
 public:
  explicit OutputRectangle(size_t capacity) : buffer_(capacity) {}
  float* prepare(size_t rows, size_t tokens, size_t stride, Side side);
  /// `want(t, r)` gives the expected element.
  template <class Want>
  std::string verify(Want want) {
    const float* got = buffer_.data();
    for (size_t t = 0; t < tokens_; ++t) {
      for (size_t r = 0; r < (t + 1 < tokens_ ? stride_ : rows_); ++r) {
        const float expected = r < rows_ ? want(t, r) : canary();
        if (!same(got[t * stride_ + r], expected)) return describe(t, r, got[t * stride_ + r], expected);
      }
    }
    return buffer_.intact() ? "" : "wrote outside the output buffer";
  }

 private:
  static float canary();
  std::string describe(size_t t, size_t r, float got, float expected) const;
  Guarded<float> buffer_;
  size_t rows_ = 0, tokens_ = 0, stride_ = 0;
};

}  // namespace sterna::testing
