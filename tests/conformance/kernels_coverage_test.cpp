// Which kernels the conformance tests run, and the proof that none was left out: a build that silently lost
// an instruction set must not pass as a tested one. Also the shared helpers of kernel_cases.h.
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>

#include "conformance/kernel_cases.h"
#include "formats/format.h"
#include "packing/packing.h"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace sterna::testing {

#if defined(__x86_64__)
/// Whether the kernel lists a feature that it lets programs use.
static bool linux_flag(const std::string& name) {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.rfind("flags", 0) == 0) return (line + " ").find(" " + name + " ") != std::string::npos;
  return false;
}

/// Whether this process has the permission to use tiles after the library asked for it, or gets it now.
static bool may_use_tiles() {
#if defined(__linux__)
  constexpr long kGetPermission = 0x1022, kRequestPermission = 0x1023, kTileData = 18;
  unsigned long granted = 0;
  syscall(SYS_arch_prctl, kRequestPermission, kTileData);
  return syscall(SYS_arch_prctl, kGetPermission, &granted) == 0 && (granted >> kTileData & 1);
#else
  return false;
#endif
}
#endif

std::vector<std::string> isas_of_cpu() {
  std::vector<std::string> found;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
  const bool vbmi = avx512 && __builtin_cpu_supports("avx512vbmi");
  if (vbmi && linux_flag("amx_tile") && linux_flag("amx_int8") && may_use_tiles()) found.push_back("amx");
  if (vbmi) found.push_back("avx512_vbmi");
  if (avx512) found.push_back("avx512");
  if (avx2 && linux_flag("avx_vnni")) found.push_back("avxvnni");
  if (avx2) found.push_back("avx2");
#elif defined(__aarch64__) && defined(__linux__)
  constexpr unsigned long kAsimdDp = 1ul << 20;  // HWCAP_ASIMDDP of <asm/hwcap.h>, absent from old headers
  constexpr unsigned long kI8mm = 1ul << 13;     // HWCAP2_I8MM
  if (getauxval(AT_HWCAP2) & kI8mm) found.push_back("neon_i8mm");
  if (getauxval(AT_HWCAP) & kAsimdDp) found.push_back("neon_dotprod");
  found.push_back("neon");
#elif defined(__aarch64__)
  found.push_back("neon");
#endif
  found.push_back("scalar");
  return found;
}

/// Instruction sets whose lists hold only what they do better; the rest of their work falls to the next one.
static bool is_partial(const std::string& isa) {
  return isa == "amx" || isa == "avx512_vbmi" || isa == "neon_i8mm";
}

/// Variants of packings that only some sets read; the packer asks for them.
static bool is_optional(const std::string& variant) {
  const kernels::QGemmVariant* v = kernels::qgemm_variant(variant);
  return v && (v->trits || v->index);
}

/// Not a static object of its own: those of other files are made in any order.
static std::set<kernels::Family>& tested_families() {
  static std::set<kernels::Family> families;
  return families;
}
bool record_conformance_test(kernels::Family family) { return tested_families().insert(family).second; }

Kernels::Kernels(kernels::Family family) {
  for (const kernels::Isa& isa : kernels::isas()) {
    if (!isa.supported() && !can_emulate(isa.name)) continue;
    for (const kernels::Kernel* k : isa.kernels) {
      if (k->family == family) entries_.push_back({k, isa.name});
    }
  }
}

std::vector<std::string> Kernels::variants() const {
  std::set<std::string> names;
  for (const Entry& e : entries_) names.insert(e.kernel->variant);
  return {names.begin(), names.end()};
}

void Kernels::check_covered() const {
  std::map<std::string, std::set<std::string>> ran;
  for (const Entry& e : entries_) {
    CHECK_MESSAGE(e.runs > 0, "never run: " << title(*e.kernel));
    CHECK_MESSAGE(e.isa == e.kernel->isa, title(*e.kernel) << " is in the list of " << e.isa);
    ran[e.isa].insert(e.kernel->variant);
  }
  REQUIRE_MESSAGE(!ran["scalar"].empty(), "no scalar kernel of this family");
  for (const auto& [isa, variants] : ran) {
    if (is_partial(isa)) continue;
    for (const std::string& v : ran["scalar"])
      CHECK_MESSAGE((is_optional(v) || variants.count(v)), isa << " lacks " << v);
  }
  if (std::getenv("STERNA_TEST_ISAS_REDUCED")) return;  // built without some instruction sets on purpose
  for (const std::string& isa : isas_of_cpu()) {
    CHECK_MESSAGE((is_partial(isa) || ran.count(isa)),
                  "this CPU can run " << isa << ", but it was not tested");
  }
}

std::string name(Floats kind) {
  constexpr const char* kNames[] = {"random", "zeros", "denormals", "huge", "mixed", "NaN"};
  return kNames[int(kind)];
}

std::vector<float> floats(Floats kind, size_t n, uint64_t seed) {
  Random rng(seed * 8 + uint64_t(kind));
  constexpr float kMixed[] = {0.0f, -0.0f, 1e30f, -1e30f,  1e-30f, -1e-30f, 1e-41f,
                              0.5f, -2.5f, 88.0f, -104.5f, 1e-5f,  3e38f};
  std::vector<float> v(n);
  for (float& x : v) {
    const float u = rng.uniform(-1, 1);
    switch (kind) {
      case Floats::kRandom:
        x = 8 * u * u * u;
        break;
      case Floats::kZeros:
        x = u < 0 ? -0.0f : 0.0f;
        break;
      case Floats::kDenormals:
        x = u * 1e-39f;
        break;
      case Floats::kHuge:
        x = u * 1e18f;
        break;
      case Floats::kMixed:
        x = u < 0 ? 4 * u : kMixed[rng.between(0, int(std::size(kMixed)) - 1)];
        break;
      case Floats::kNan:
        x = u < 0 ? u : std::nanf("");
        break;
    }
  }
  return v;
}

bool same(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}

namespace {

std::string got_expected(float got, float expected) {
  char text[96];
  std::snprintf(text, sizeof text, "got %a (%.9g), expected %a (%.9g)", double(got), double(got),
                double(expected), double(expected));
  return text;
}

}  // namespace

std::string compare(const float* got, const float* want, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    if (!same(got[i], want[i])) return "[" + std::to_string(i) + "]: " + got_expected(got[i], want[i]);
  }
  return "";
}

float* OutputRectangle::prepare(size_t rows, size_t tokens, size_t stride, Side side) {
  rows_ = rows, tokens_ = tokens, stride_ = stride;
  return buffer_.fit((tokens - 1) * stride + rows, side);
}

float OutputRectangle::canary() { return std::bit_cast<float>(0x01010101u * kCanary); }

std::string OutputRectangle::describe(size_t t, size_t r, float got, float expected) const {
  return "token " + std::to_string(t) + " of " + std::to_string(tokens_) + ", row " + std::to_string(r) +
         " of " + std::to_string(rows_) + (r < rows_ ? ": " : " (outside the rectangle): ") +
         got_expected(got, expected);
}

namespace {

TEST_SUITE_BEGIN("kernels");

TEST_CASE("kernels: every instruction set of this machine is in the lists, and scalar is always there") {
  std::set<std::string> names, supported;
  for (const kernels::Isa& isa : kernels::isas()) {
    const std::string name = isa.name, needs = isa.requires_;
    CHECK_MESSAGE(names.insert(name).second, "listed twice: " << name);
    if (isa.supported())
      supported.insert(name);
    else if (can_emulate(name))
      MESSAGE("not supported by this machine, tested in an emulator: " << name << " (" << needs << ")");
    else
      MESSAGE("not supported by this machine, not tested: " << name << " (" << needs << ")");
    std::set<std::pair<std::string, std::string>> seen;
    for (const kernels::Kernel* k : isa.kernels) {
      CHECK_MESSAGE(seen.insert({kernels::base_name(*k), k->algorithm}).second,
                    "listed twice: " << title(*k));
      CHECK_MESSAGE(k->isa == name, title(*k) << " is in the list of " << name);
      CHECK_MESSAGE((k->fn != nullptr), "no function: " << title(*k));
    }
  }
  REQUIRE(!kernels::isas().empty());
  CHECK_MESSAGE(std::string(kernels::isas().back().name) == "scalar", "scalar must be the last resort");
  CHECK(supported.count("scalar"));
  if (std::getenv("STERNA_TEST_ISAS_REDUCED")) {
    MESSAGE("STERNA_TEST_ISAS_REDUCED: the instruction sets of this CPU need not be in this build");
  } else {
    const auto of_cpu = isas_of_cpu();
    CHECK_MESSAGE(supported == std::set<std::string>(of_cpu.begin(), of_cpu.end()),
                  "this CPU can run up to " << of_cpu.front() << "; the library finds something else");
  }
}

TEST_CASE("kernels: each instruction set has every kernel that scalar has") {
  using Key = std::pair<std::string, std::string>;
  std::map<std::string, std::set<Key>> lists;
  for (const kernels::Isa& isa : kernels::isas()) {
    for (const kernels::Kernel* k : isa.kernels)
      lists[isa.name].insert({kernels::family_name(k->family), k->variant});
  }
  CHECK(!lists["scalar"].empty());
  for (const auto& [isa, list] : lists) {
    for (const auto& [family, variant] : lists["scalar"]) {
      CHECK_MESSAGE((is_partial(isa) || is_optional(variant) || list.count({family, variant})),
                    isa << " lacks " << family << " " << variant);
    }
    for (const auto& [family, variant] : list) {
      CHECK_MESSAGE(lists["scalar"].count({family, variant}), "scalar lacks " << family << " " << variant);
    }
  }
}

TEST_CASE("kernels: every family has a conformance test, every listed variant a kernel, and no other") {
#define STERNA_FAMILY(name, function, what) \
  CHECK_MESSAGE(tested_families().count(kernels::Family::name), "no conformance test for " #name);
#include "kernels/contract/families.inc"
#undef STERNA_FAMILY
  std::set<std::string> listed;
  for (const kernels::Variant& v : kernels::all_variants()) {
    listed.insert(std::string(kernels::family_name(v.family)) + "_" + v.name);
    CHECK_MESSAGE(kernels::find(v.family, v.name) != nullptr, "no kernel for " << v.name);
  }
  for (const kernels::Isa& isa : kernels::isas())
    for (const kernels::Kernel* k : isa.kernels)
      CHECK_MESSAGE(listed.count(kernels::base_name(*k)), "not in variants.inc: " << title(*k));
}

TEST_CASE("kernels: every format has kernels, its packings and the rows that it is multiplied with") {
  using kernels::Family;
  for (const formats::Format* f : formats::all()) {
    CAPTURE(f->name);
    if (f->codes.fold == Fold::kFloat) continue;
    size_t accepted = 0;
    for (const cpu::Packing* p : cpu::packings()) {
      if (!p->accepts(f->codes)) continue;
      accepted++;
      CHECK_MESSAGE(kernels::find(p->variant(f->codes)) != nullptr, "no kernel for its packing " << p->name);
    }
    CHECK(accepted == (f->codes.ternary || f->codes.grid ? 2 : 1));
    CHECK(kernels::find(Family::quantize, f->codes.block ? "block" : "row") != nullptr);
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace sterna::testing
