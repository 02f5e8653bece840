// Keys and values. They are kept in pages: those of kPagePositions positions of one layer, all KV heads. A
// page is a chunk of attention (kernels/contract/attention.h), so paging cannot change a result, and
// sequences that begin alike can share their pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "kernels/contract/attention.h"
#include "machine/memory.h"
#include "sterna/status.h"

namespace sterna::cpu {

constexpr size_t kPagePositions = kernels::kAttentionChunk;
using kernels::kMaxHeadDim;

/// The window of attention that sees all positions before its own.
constexpr size_t kNoWindow = SIZE_MAX;
/// The first position that position p sees.
constexpr size_t first_seen(size_t p, size_t window) { return p < window ? 0 : p - window + 1; }

struct KvShape {
  size_t n_heads, head_dim;
};

/// How keys and values lie in a page: one file per type, listed in kv_types.inc.
class KvType {
 public:
  /// Positions that store() may not write from several threads: a multiple of it starts memory of its own.
  static constexpr size_t kStoreGroup = 16;

  virtual ~KvType() = default;
  const KvShape& shape() const { return shape_; }
  size_t page_bytes() const { return page_bytes_; }

  /// Keeps the keys and values of all heads ([n_heads][head_dim]) at a place of a page; all before it are
  /// kept.
  virtual void store(uint8_t* page, size_t place, const float* k, const float* v) const = 0;
  /// The partial results of one head of a page; args.k and args.v are filled in here.
  virtual void attend(const uint8_t* page, size_t head, const kernels::AttentionArgs& args) const = 0;
  /// Copies the first n places into a page of zeros; n up to kPagePositions.
  virtual void copy(const uint8_t* from, size_t n, uint8_t* to) const = 0;

 protected:
  KvType(const KvShape& shape, size_t page_bytes) : shape_(shape), page_bytes_(page_bytes) {}

 private:
  KvShape shape_;
  size_t page_bytes_;
};

/// "f16" or "int8" (kv_types.inc). kInvalidArgument.
Status check_kv_type(std::string_view name);
/// The type of a checked name.
std::unique_ptr<const KvType> make_kv_type(std::string_view name, const KvShape& shape);

struct KvPage {
  Buffer bytes;
  bool published = false;  ///< Others may find it by its content: it never changes again.
};

/// What one sequence keeps for one layer: of attention with a window only the pages that may still be seen.
class KvState {
 public:
  explicit KvState(const KvType& type, size_t window = kNoWindow) : type_(&type), window_(window) {}

  /// Makes pages for positions first .. first + n - 1 that nobody else sees, with what is kept before
  /// `first`; what was kept from there on is lost, and so are pages that no position from `first` on sees.
  /// kOutOfMemory.
  Status extend(size_t first, size_t n);
  /// Whether all is there that positions from n on see of the first n.
  bool keeps(size_t n) const;
  /// Lets go of the pages that no position from n on sees.
  void forget_unseen(size_t n);
  /// The first n positions, sharing pages.
  KvState fork(size_t n) const;

  const KvType& type() const { return *type_; }
  size_t window() const { return window_; }
  uint8_t* page(size_t i) const { return pages_[i]->bytes.data(); }
  const std::shared_ptr<KvPage>& shared(size_t i) const { return pages_[i]; }
  /// Makes `page`, whole and of another sequence, the one after the first i; null if no position to come sees
  /// it.
  void adopt(size_t i, std::shared_ptr<KvPage> page);

 private:
  const KvType* type_;
  size_t window_;
  std::vector<std::shared_ptr<KvPage>> pages_;  // the first ones null: out of the window
};

}  // namespace sterna::cpu
