// Conformance of the small operations around the matmuls, bit for bit: rmsnorm, rope, softmax, glu, add.
#include <cmath>

#include "conformance/kernel_cases.h"
#include "kernels/contract/elementwise.h"
#include "reference/add.h"
#include "reference/glu.h"
#include "reference/rmsnorm.h"
#include "reference/rope.h"
#include "reference/softmax.h"

namespace sterna::testing {
namespace {

std::vector<size_t> sizes() {
  std::vector<size_t> all{127, 128, 129, 255, 256, 257, 2560};
  for (size_t n = 1; n <= 70; ++n) all.push_back(n);
  return all;
}

std::string describe(size_t n, Floats kind, const char* more = "") {
  return "n " + std::to_string(n) + ", " + name(kind) + more;
}

Side side_of(size_t n) { return n % 2 ? Side::kEnd : Side::kStart; }

/// Calls test(n, kind) for all sizes and kinds of input, NaN last.
template <class Test>
void for_each_input(Test test) {
  for (size_t n : sizes()) {
    for (Floats kind : kComparableFloats) test(n, kind);
    test(n, Floats::kNan);
  }
}

/// After a kernel: its output, and that it wrote nowhere else.
std::string verify(Guarded<float>& y, const std::vector<float>& want) {
  if (!y.intact()) return "wrote outside the output buffer";
  return compare(y.data(), want.data(), want.size());
}

std::string verify_input(Guarded<float>& x, const std::vector<float>& before) {
  if (!x.intact()) return "wrote outside an input buffer";
  const std::string error = compare(x.data(), before.data(), before.size());
  return error.empty() ? "" : "changed an input: " + error;
}

TEST_SUITE_BEGIN("kernels");

TEST_CASE("kernels: rmsnorm equals the reference") {
  KernelsOf<kernels::Family::rmsnorm> all;
  for (const std::string& variant : all.variants()) {
    REQUIRE_MESSAGE(variant == "f32", "no conformance test for rmsnorm " << variant);
    Guarded<float> gx(2560), gw(2560), gy(2560);
    for_each_input([&](size_t n, Floats kind) {
      const std::vector<float> x = floats(kind, n, n), w = floats(Floats::kRandom, n, n + 1);
      std::vector<float> want(n);
      for (float eps : {1e-5f, 1e-6f, 0.0f}) {
        reference::rmsnorm(x.data(), w.data(), n, eps, want.data());
        all.run(variant, describe(n, kind), [&](const kernels::Kernel& k) {
          float* const y = gy.fit(n, side_of(n));
          kernels::as<kernels::RmsNormFn>(k)(gx.fit(x.data(), n, side_of(n)), gw.fit(w.data(), n, side_of(n)),
                                             n, eps, y);
          const std::string error = verify_input(gx, x) + verify_input(gw, w);
          return error.empty() ? verify(gy, want) : error;
        });
        all.run(variant, describe(n, kind, ", in place"), [&](const kernels::Kernel& k) {
          float* const y = gy.fit(x.data(), n, side_of(n));
          kernels::as<kernels::RmsNormFn>(k)(y, gw.fit(w.data(), n, side_of(n)), n, eps, y);
          return verify(gy, want);
        });
      }
    });
  }
  all.check_covered();
}

TEST_CASE("kernels: rope equals the reference") {
  KernelsOf<kernels::Family::rope> all;
  for (const std::string& variant : all.variants()) {
    REQUIRE_MESSAGE((variant == "neox" || variant == "norm"), "no conformance test for rope " << variant);
    Guarded<float> gx(256), gcos(128), gsin(128);
    for (size_t n_rot = 2; n_rot <= 128; n_rot += 2) {
      for (Floats kind : {Floats::kRandom, Floats::kZeros, Floats::kDenormals, Floats::kHuge, Floats::kMixed,
                          Floats::kNan}) {
        std::vector<float> cos(n_rot / 2), sin(n_rot / 2);
        for (size_t i = 0; i < n_rot / 2; ++i) {
          cos[i] = std::cos(float(i * 7 + 1)), sin[i] = std::sin(float(i * 7 + 1));
        }
        for (size_t untouched : {0, 1, 32}) {
          const size_t n = n_rot + untouched;
          const std::vector<float> x = floats(kind, n, n);
          std::vector<float> want = x;
          reference::rope(want.data(), cos.data(), sin.data(), n_rot, variant == "neox");
          all.run(variant, "n_rot " + std::to_string(n_rot) + ", " + name(kind),
                  [&](const kernels::Kernel& k) {
                    const Side side = n_rot % 4 ? Side::kEnd : Side::kStart;
                    kernels::as<kernels::RopeFn>(k)(gx.fit(x.data(), n, side),
                                                    gcos.fit(cos.data(), n_rot / 2, side),
                                                    gsin.fit(sin.data(), n_rot / 2, side), n_rot);
                    const std::string error = verify_input(gcos, cos) + verify_input(gsin, sin);
                    return error.empty() ? verify(gx, want) : error;
                  });
        }
      }
    }
  }
  all.check_covered();
}

TEST_CASE("kernels: softmax equals the reference") {
  KernelsOf<kernels::Family::softmax> all;
  for (const std::string& variant : all.variants()) {
    REQUIRE_MESSAGE(variant == "f32", "no conformance test for softmax " << variant);
    Guarded<float> gx(4096), gy(4096);
    const auto check = [&](const std::vector<float>& x, const std::string& what) {
      const size_t n = x.size();
      std::vector<float> want(n);
      reference::softmax(x.data(), n, want.data());
      all.run(variant, what, [&](const kernels::Kernel& k) {
        float* const y = gy.fit(n, side_of(n));
        kernels::as<kernels::SoftmaxFn>(k)(gx.fit(x.data(), n, side_of(n)), n, y);
        const std::string error = verify_input(gx, x);
        return error.empty() ? verify(gy, want) : error;
      });
      all.run(variant, what + ", in place", [&](const kernels::Kernel& k) {
        float* const y = gy.fit(x.data(), n, side_of(n));
        kernels::as<kernels::SoftmaxFn>(k)(y, n, y);
        return verify(gy, want);
      });
    };
    for_each_input([&](size_t n, Floats kind) { check(floats(kind, n, n), describe(n, kind)); });
    for (size_t n : {1, 5, 16, 33, 300}) {  // masked positions
      std::vector<float> x = floats(Floats::kRandom, n, n);
      for (size_t i = 1; i < n; i += 2) x[i] = -INFINITY;
      check(x, describe(n, Floats::kRandom, ", -inf"));
    }
    // The whole range of exp and its ends, 0 down to below -104: vector forms are compared at every scale.
    for (size_t part = 0; part < (fast() ? 20u : 200u); ++part) {
      Random rng(part);
      std::vector<float> x(4096);
      for (float& v : x)
        v = rng.uniform(-106.0f, 0.0f) * (part % 4 == 0   ? 1.0f
                                          : part % 4 == 1 ? 0.01f
                                          : part % 4 == 2 ? 1e-4f
                                                          : 0.2f);
      x[part] = 0;
      check(x, "exp over its range, part " + std::to_string(part));
    }
  }
  all.check_covered();
}

TEST_CASE("kernels: glu equals the reference") {
  KernelsOf<kernels::Family::glu> all;
  const std::map<std::string, float (*)(float)> activations{
      {"silu", reference::silu}, {"relu2", reference::relu2}, {"gelu", reference::gelu}};
  for (const std::string& variant : all.variants()) {
    REQUIRE_MESSAGE(activations.count(variant), "no conformance test for glu " << variant);
    const auto act = activations.at(variant);
    Guarded<float> gg(4096), gu(4096), gy(4096);
    const auto check = [&](const std::vector<float>& gate, const std::vector<float>& up,
                           const std::string& what) {
      const size_t n = gate.size();
      std::vector<float> want(n);
      for (size_t i = 0; i < n; ++i) want[i] = act(gate[i]) * up[i];
      all.run(variant, what, [&](const kernels::Kernel& k) {
        float* const y = gy.fit(n, side_of(n));
        kernels::as<kernels::GluFn>(k)(gg.fit(gate.data(), n, side_of(n)), gu.fit(up.data(), n, side_of(n)),
                                       n, y);
        const std::string error = verify_input(gg, gate) + verify_input(gu, up);
        return error.empty() ? verify(gy, want) : error;
      });
      all.run(variant, what + ", in place", [&](const kernels::Kernel& k) {
        float* const y = gy.fit(gate.data(), n, side_of(n));
        kernels::as<kernels::GluFn>(k)(y, gu.fit(up.data(), n, side_of(n)), n, y);
        return verify(gy, want);
      });
    };
    for_each_input(
        [&](size_t n, Floats kind) { check(floats(kind, n, n), floats(kind, n, n + 1), describe(n, kind)); });
    for (size_t part = 0; part < (fast() ? 10u : 100u); ++part) {
      Random rng(part);
      std::vector<float> gate(4096);
      for (float& g : gate)
        g = rng.uniform(-110.0f, 110.0f) * (part % 3 == 0 ? 1.0f : part % 3 == 1 ? 0.05f : 1e-3f);
      check(gate, floats(Floats::kRandom, 4096, part), "wide range, part " + std::to_string(part));
    }
  }
  all.check_covered();
}

TEST_CASE("kernels: add equals the reference") {
  KernelsOf<kernels::Family::add> all;
  for (const std::string& variant : all.variants()) {
    REQUIRE_MESSAGE(variant == "f32", "no conformance test for add " << variant);
    Guarded<float> gx(2560), gy(2560);
    for_each_input([&](size_t n, Floats kind) {
      const std::vector<float> x = floats(kind, n, n), y = floats(kind, n, n + 1);
      std::vector<float> want = y;
      reference::add(x.data(), n, want.data());
      all.run(variant, describe(n, kind), [&](const kernels::Kernel& k) {
        kernels::as<kernels::AddFn>(k)(gx.fit(x.data(), n, side_of(n)), n, gy.fit(y.data(), n, side_of(n)));
        const std::string error = verify_input(gx, x);
        return error.empty() ? verify(gy, want) : error;
      });
    });
  }
  all.check_covered();
}

TEST_SUITE_END();

}  // namespace
}  // namespace sterna::testing
