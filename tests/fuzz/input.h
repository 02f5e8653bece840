// The bytes of a fuzzer's input as numbers. After the end they begin again, changed: a few fill any array.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

namespace sterna::fuzz {

inline void require(bool ok) {
  if (!ok) __builtin_trap();
}

class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  uint8_t byte() {
    const size_t round = size_ ? at_ / size_ : at_;
    return uint8_t((size_ ? data_[at_++ % size_] : at_++) + round * 157);
  }
  /// Whether all bytes were read once.
  bool ended() const { return at_ >= size_; }
  size_t between(size_t low, size_t high) { return low + (size_t(byte()) << 8 | byte()) % (high - low + 1); }
  template <class T>
  T bits() {
    uint8_t bytes[sizeof(T)];
    for (uint8_t& b : bytes) b = byte();
    T value;
    std::memcpy(&value, bytes, sizeof(T));
    return value;
  }
  /// Ordinary numbers, the limits of float and their neighbours, infinities, NaN, and any bits.
  float number() {
    using Limits = std::numeric_limits<float>;
    constexpr float kHostile[] = {0.0f,
                                  -0.0f,
                                  Limits::denorm_min(),
                                  0x1p-127f,
                                  Limits::min(),
                                  0x1p-120f,
                                  0x1.fffffep-121f,
                                  1e-5f,
                                  Limits::max(),
                                  Limits::lowest(),
                                  Limits::infinity(),
                                  -Limits::infinity(),
                                  Limits::quiet_NaN(),
                                  -Limits::quiet_NaN(),
                                  127.0f,
                                  0.5f};
    const uint8_t kind = byte();
    if (kind < 16) return kHostile[kind];
    if (kind < 32) return bits<float>();
    return float(int(kind) - 144) * (1.0f / 64);
  }

 private:
  const uint8_t* data_;
  size_t size_, at_ = 0;
};

}  // namespace sterna::fuzz
