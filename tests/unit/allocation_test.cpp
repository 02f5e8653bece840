// Decoding allocates nothing per token. Not with the thread sanitizer, whose own operator new cannot be
// replaced in a program linked with it.
#include <doctest/doctest.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define STERNA_TSAN
#endif
#endif
#ifndef STERNA_TSAN

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>

#include "sterna/sterna.h"

namespace {

std::atomic<size_t> allocations{0};

}  // namespace

// All forms that do not ask for more alignment: sanitizers bring each of their own.
void* operator new(size_t n, const std::nothrow_t&) noexcept {
  allocations++;
  return std::malloc(n ? n : 1);
}
void* operator new(size_t n) {
  if (void* p = operator new(n, std::nothrow)) return p;
  throw std::bad_alloc();
}
void* operator new[](size_t n) { return operator new(n); }
void* operator new[](size_t n, const std::nothrow_t& t) noexcept { return operator new(n, t); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete[](void* p, size_t) noexcept { std::free(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { std::free(p); }

namespace sterna {

TEST_SUITE("unit") {
  TEST_CASE("decoding a token allocates nothing") {
    for (const char* kv_type : {"f16", "int8"}) {
      for (const char* name :
           {"python/sterna/data/sterna-tiny.gguf", "tests/data/models/mini-bitnet-i2_s.gguf",
            "tests/data/models/mini-llama-kquants.gguf"}) {
        LoadOptions options;
        options.n_threads = 2;
        options.kv_type = kv_type;
        auto model = Model::load(std::string(STERNA_TEST_DATA_DIR) + "/../" + name, options);
        REQUIRE_MESSAGE(model.ok(), model.status().message());
        const auto count = [&](size_t n_tokens) {
          const size_t before = allocations;
          REQUIRE(model.value().bench(0, n_tokens, 0, {}).ok());
          return allocations - before;
        };
        CAPTURE(name);
        CHECK(count(1) == count(40));
        CHECK(count(1) > 0);  // the counter counts
      }
    }
  }
}

}  // namespace sterna

#endif  // STERNA_TSAN
