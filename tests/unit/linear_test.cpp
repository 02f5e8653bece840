// Linear layers: the sum of terms of different kinds and formats, and the epilogue.
#include "backends/cpu/linear.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "machine/memory.h"

namespace sterna {
namespace {

constexpr size_t kRows = 650, kDepth = 256;

/// A matrix of random values in a format with an encoder, or of floats.
struct Tensor {
  const formats::Format& format;
  std::vector<uint8_t> file;
  Buffer storage;

  Tensor(const char* name, unsigned seed)
      : format(*formats::by_name(name)), file(kRows * formats::row_bytes(format, kDepth)) {
    std::mt19937 random(seed);
    std::normal_distribution<float> values;
    std::vector<float> row(kDepth);
    for (size_t r = 0; r < kRows; r++) {
      for (float& v : row) v = values(random);
      uint8_t* const to = file.data() + r * formats::row_bytes(format, kDepth);
      if (format.encode)
        format.encode(row.data(), kDepth, to);
      else
        std::memcpy(to, row.data(), kDepth * sizeof(float));
    }
  }

  std::unique_ptr<cpu::Term> term(ThreadPool& pool) {
    const cpu::TensorRows source{&format, file.data(), kRows, kDepth, &format};
    const cpu::TermKind& kind = cpu::term_kind(source);
    storage = Buffer::allocate(kind.bytes({&source, 1}));
    auto made = kind.make({&source, 1}, storage.data(), pool);
    REQUIRE_MESSAGE(made.ok(), made.status().message());
    return std::move(made.value());
  }
};

std::vector<float> run(const cpu::Linear& l, cpu::Activations& acts, ThreadPool& pool, size_t n,
                       const std::vector<float>& x) {
  const cpu::Linear* const reader[] = {&l};
  cpu::begin(acts, reader);
  for (size_t i = 0; i < n; i++) {
    std::copy_n(x.begin() + ptrdiff_t(i * kDepth), kDepth, acts.row(i));
    acts.quantize(i);
  }
  std::vector<float> out(n * kRows, NAN);
  const cpu::Product product = cpu::Product::whole(l, 0, n, out.data());
  cpu::matmul(pool, acts, {&product, 1});
  return out;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a linear layer is the sum of its terms in their order, scaled, with its bias") {
    const auto pool = std::move(ThreadPool::create(2).value());
    Tensor tensors[] = {{"Q4_0", 1}, {"F32", 2}, {"Q8_0", 3}, {"Q6_K", 4}};
    cpu::Linear whole;
    cpu::Linear parts[std::size(tensors)];
    cpu::Activations acts;
    whole.rows = kRows, whole.depth = kDepth;
    std::vector<Buffer> storage;
    for (size_t i = 0; i < std::size(tensors); i++) {
      parts[i] = cpu::Linear(tensors[i].term(*pool));
      storage.push_back(std::move(tensors[i].storage));
      REQUIRE(parts[i].bind(acts, 300).ok());
      whole.terms.push_back(tensors[i].term(*pool));
    }
    REQUIRE(whole.bind(acts, 300).ok());
    REQUIRE(acts.reserve().ok());
    std::vector<float> bias(kRows), x(300 * kDepth);
    std::mt19937 random(5);
    std::normal_distribution<float> values;
    for (float& v : bias) v = values(random);
    for (float& v : x) v = values(random);
    for (const size_t n : {1, 3, 130, 300}) {
      CAPTURE(n);
      std::vector<float> want(n * kRows);
      whole.scale = 1, whole.bias = nullptr;
      for (size_t i = 0; i < std::size(parts); i++) {
        const std::vector<float> y = run(parts[i], acts, *pool, n, x);
        for (size_t j = 0; j < y.size(); j++) want[j] = i ? want[j] + y[j] : y[j];
      }
      CHECK(run(whole, acts, *pool, n, x) == want);
      whole.scale = 0.3f, whole.bias = bias.data();
      for (size_t j = 0; j < want.size(); j++) {
        const float scaled = want[j] * whole.scale;
        want[j] = scaled + bias[j % kRows];
      }
      CHECK(run(whole, acts, *pool, n, x) == want);
    }
  }

  TEST_CASE("tables of activations hold for a step") {
    // The same rows with other values in the next step: what was looked up must not be the last step's.
    const auto pool = std::move(ThreadPool::create(2).value());
    const formats::CodeSpec spec{.fold = Fold::kBlock, .bits = 1, .mul = 2, .zero = 1, .block = 64};
    const cpu::PackedLayout layout = cpu::packed_layout(spec, kRows, kDepth);
    Buffer panels = Buffer::allocate(layout.bytes());
    std::vector<uint8_t> codes(16 * kDepth);
    std::vector<uint16_t> scales(16 * kDepth / 64, 0x3c00);
    std::mt19937 random(6);
    for (size_t p = 0; p < layout.n_panels; p++) {
      for (uint8_t& c : codes) c = random() & 1;
      cpu::pack_panel(layout, {codes.data(), scales.data(), nullptr, nullptr, nullptr},
                      panels.data() + p * layout.panel_bytes);
    }
    auto term = cpu::codes_term(layout, panels.data());
    REQUIRE(term.ok());
    cpu::Linear l(std::move(term.value()));
    cpu::Activations acts, fresh;
    REQUIRE(l.bind(acts, 3).ok());
    REQUIRE(acts.reserve().ok());
    std::vector<float> x(3 * kDepth);
    for (int step = 0; step < 3; step++) {
      for (float& v : x) v = float(int(random() % 255) - 127);
      const std::vector<float> y = run(l, acts, *pool, 3, x);
      REQUIRE(l.bind(fresh, 3).ok());
      REQUIRE(fresh.reserve().ok());
      CHECK(run(l, fresh, *pool, 3, x) == y);
    }
  }
}

}  // namespace sterna
