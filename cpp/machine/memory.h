// Large zeroed memory, page-aligned; failure is a value, not an exception.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace sterna {

class Buffer {
 public:
  Buffer() = default;
  /// `bytes` zeroed bytes; empty() if the system refuses (or bytes is 0). `huge` asks for huge pages: for
  /// memory that is streamed (fewer TLB misses), not for memory that is touched here and there (a huge page
  /// is resident as a whole).
  static Buffer allocate(size_t bytes, bool huge = false);
  Buffer(Buffer&& o) noexcept : data_(std::exchange(o.data_, nullptr)), bytes_(std::exchange(o.bytes_, 0)) {}
  Buffer& operator=(Buffer&& o) noexcept {
    std::swap(data_, o.data_);
    std::swap(bytes_, o.bytes_);
    return *this;
  }
  ~Buffer();

  bool empty() const { return data_ == nullptr; }
  uint8_t* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  uint8_t* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace sterna
