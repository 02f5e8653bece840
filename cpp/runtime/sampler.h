// Choosing the next token: repeat penalty, top-k, top-p, min-p, temperature, then a draw; llama.cpp's order.
// Our own generator and elementary functions, so a seed gives the same text on every machine.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sterna/model.h"

namespace sterna::runtime {

/// xoshiro256** seeded by splitmix64 (Blackman & Vigna, https://prng.di.unimi.it).
class Random {
 public:
  explicit Random(uint64_t seed);
  uint64_t next();
  double uniform() { return double(next() >> 11) * 0x1p-53; }  ///< [0, 1)

 private:
  uint64_t s_[4];
};

class Sampler {
 public:
  explicit Sampler(const GenerateOptions& options) : options_(options), random_(options.seed) {}
  /// `logits` may be changed (penalty). `history`: all tokens so far. Ties go to the smaller id.
  int32_t sample(std::span<float> logits, std::span<const int32_t> history);

 private:
  struct Candidate {
    float logit;
    int32_t id;
    double p;
  };
  GenerateOptions options_;
  Random random_;
  std::vector<Candidate> candidates_;
};

}  // namespace sterna::runtime
