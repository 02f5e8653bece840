// Buffers between two unmapped pages: an access past the end (or, placed at the start, before it) faults at
// once, with or without a sanitizer. The bytes of the mapped pages that belong to no element are canaries.
#pragma once

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

namespace sterna::testing {

enum class Side { kEnd, kStart };  ///< Which unmapped page the elements touch.

/// A float with these bytes is an ordinary number (-2.9e-16), so that a canary never compares as a NaN.
constexpr uint8_t kCanary = 0xa5;

template <class T>
class Guarded {
 public:
  explicit Guarded(size_t capacity) {
    const size_t page = size_t(sysconf(_SC_PAGESIZE));
    body_bytes_ = (capacity * sizeof(T) + page - 1) / page * page + page;
    map_bytes_ = body_bytes_ + 2 * page;
    void* p = mmap(nullptr, map_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) std::abort();
    map_ = static_cast<uint8_t*>(p);
    body_ = map_ + page;
    if (mprotect(body_, body_bytes_, PROT_READ | PROT_WRITE) != 0) std::abort();
    fit(0);
  }
  ~Guarded() { munmap(map_, map_bytes_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  /// Places n <= capacity elements directly before the page after (kEnd) or directly after the page before
  /// (kStart), with no more alignment than that gives, and fills everything with canaries.
  T* fit(size_t n, Side side = Side::kEnd) {
    if (n * sizeof(T) > body_bytes_) std::abort();
    bytes_ = n * sizeof(T);
    data_ = side == Side::kEnd ? body_ + body_bytes_ - bytes_ : body_;
    std::memset(body_, kCanary, body_bytes_);
    return data();
  }
  T* fit(const T* from, size_t n, Side side = Side::kEnd) {
    fit(n, side);
    if (n) std::memcpy(data_, from, bytes_);
    return data();
  }

  T* data() { return reinterpret_cast<T*>(data_); }

  /// Whether nothing but the elements was written since fit().
  bool intact() const {
    for (const uint8_t* p = body_; p < data_; ++p) {
      if (*p != kCanary) return false;
    }
    for (const uint8_t* p = data_ + bytes_; p < body_ + body_bytes_; ++p) {
      if (*p != kCanary) return false;
    }
    return true;
  }

 private:
  uint8_t *map_, *body_, *data_;
  size_t map_bytes_, body_bytes_, bytes_;
};

/// While it lives, a fault first prints `what` and then takes its usual course (doctest's report).
class FaultContext {
 public:
  explicit FaultContext(std::string what) : text_("fault in " + std::move(what) + "\n") {
    current_ = this;
    struct sigaction action {};
    action.sa_handler = on_fault;
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGSEGV, &action, &old_segv_);
    sigaction(SIGBUS, &action, &old_bus_);
    sigaction(SIGILL, &action, &old_ill_);
  }
  ~FaultContext() { restore(); }
  FaultContext(const FaultContext&) = delete;
  FaultContext& operator=(const FaultContext&) = delete;

 private:
  void restore() {
    sigaction(SIGSEGV, &old_segv_, nullptr);
    sigaction(SIGBUS, &old_bus_, nullptr);
    sigaction(SIGILL, &old_ill_, nullptr);
  }
  /// Returning repeats the faulting instruction, now under the previous handler.
  static void on_fault(int) {
    const ssize_t ignored = write(STDERR_FILENO, current_->text_.data(), current_->text_.size());
    (void)ignored;
    current_->restore();
  }
  static inline FaultContext* current_;
  const std::string text_;
  struct sigaction old_segv_ {
  }, old_bus_{}, old_ill_{};
};

}  // namespace sterna::testing
