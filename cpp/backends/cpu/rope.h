// Rotary position embedding: the angles of a model, from its metadata, as f32 cosines and sines computed in
// double.
#pragma once

#include <cstddef>
#include <span>

namespace sterna::cpu {

/// theta_i(pos) = pos * freq_scale * base^(-2i/n_rot) / factor_i, i < n_rot/2. With YaRN, low frequencies are
/// interpolated by freq_scale and high ones are not (https://arxiv.org/abs/2309.00071). Cosines and sines are
/// multiplied by `magnitude`.
struct RopeSpec {
  bool interleaved = false;  ///< true: pairs (2i, 2i+1) ("norm"); false: pairs (i, i + n_rot/2) ("neox").
  size_t n_rot = 0;
  double base = 10000, freq_scale = 1, magnitude = 1;
  double yarn_ext_factor = 0;  ///< How much of the highest frequencies stays as it is; 0: not YaRN.
  double yarn_beta_fast = 32, yarn_beta_slow = 1, yarn_original_ctx = 0;
};

/// Whether the angles of positions below n_positions are in the range in which cos and sin are exact.
bool rope_is_exact(const RopeSpec& spec, std::span<const float> factors, size_t n_positions);

/// cos and sin of position `pos`, n_rot/2 each. `factors`: n_rot/2 divisors (rope_freqs.weight) or empty.
void rope_row(const RopeSpec& spec, std::span<const float> factors, size_t pos, float* cos, float* sin);

}  // namespace sterna::cpu
