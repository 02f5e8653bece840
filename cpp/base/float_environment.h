// The floating-point mode that the library computes in: round to nearest even, denormals kept, no traps. The
// caller's may be another one (a library built with -ffast-math flushes denormals in every thread that loads
// it), so each public call sets this mode and puts the caller's back, and each worker thread sets it once.
#pragma once

#include <cstdint>
#include <functional>

#if defined(__x86_64__)
#include <xmmintrin.h>
#elif !defined(__aarch64__)
#include <cfenv>
#endif

namespace sterna {

class FloatEnvironment {
 public:
  FloatEnvironment() : caller_(get()) { set(default_mode()); }
  ~FloatEnvironment() { set(caller_); }
  FloatEnvironment(const FloatEnvironment&) = delete;
  FloatEnvironment& operator=(const FloatEnvironment&) = delete;

  /// `callback` as a function that runs in the caller's mode: whatever it sets is the caller's, not the
  /// library's. Empty if `callback` is. It must not outlive this object.
  template <class R, class... Args>
  std::function<R(Args...)> outside(const std::function<R(Args...)>& callback) {
    if (!callback) return {};
    return [this, &callback](Args... args) -> R {
      const Outside outside(*this);
      return callback(static_cast<Args&&>(args)...);
    };
  }

  /// Sets the mode for good: for threads of our own.
  static void enter() { set(default_mode()); }

 private:
#if defined(__x86_64__)
  using Mode = uint32_t;  // MXCSR
  static Mode default_mode() { return 0x1f80; }
  static Mode get() { return _mm_getcsr(); }
  static void set(Mode mode) { _mm_setcsr(mode); }
#elif defined(__aarch64__)
  using Mode = uint64_t;  // FPCR
  static Mode default_mode() { return 0; }
  static Mode get() {
    Mode mode;
    asm volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
  }
  static void set(Mode mode) { asm volatile("msr fpcr, %0" : : "r"(mode) : "memory"); }
#else
  using Mode = std::fenv_t;
  static Mode default_mode() { return *FE_DFL_ENV; }
  static Mode get() {
    Mode mode;
    std::fegetenv(&mode);
    return mode;
  }
  static void set(Mode mode) { std::fesetenv(&mode); }
#endif

  struct Outside {
    explicit Outside(FloatEnvironment& e) : environment(e) { set(e.caller_); }
    ~Outside() {
      environment.caller_ = get();
      set(default_mode());
    }
    FloatEnvironment& environment;
  };

  Mode caller_;
};

}  // namespace sterna
