// Buffer on anonymous mappings.
#include <sys/mman.h>

#include "machine/memory.h"

namespace sterna {

Buffer Buffer::allocate(size_t bytes, bool huge) {
  Buffer b;
  if (bytes == 0) return b;
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return b;
#ifdef MADV_HUGEPAGE
  if (huge) madvise(p, bytes, MADV_HUGEPAGE);
#else
  (void)huge;
#endif
  b.data_ = static_cast<uint8_t*>(p);
  b.bytes_ = bytes;
  return b;
}

Buffer::~Buffer() {
  if (data_) munmap(data_, bytes_);
}

}  // namespace sterna
