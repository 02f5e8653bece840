// Sparse convolution of point clouds in 1 to 4 dimensions: features at the occupied sites of a grid, and
// layers that compute at sites only. What a layer gives equals the dense convolution read at its output
// sites.
//   auto sites = sterna::Sites::create(coords, shape, 1);              // coords: [n][batch, x, y, z]
//   auto map = sterna::KernelMap::submanifold(sites.value(), {{3, 3, 3}}, threads);
//   auto conv = sterna::SparseConv::pack(weights, 64, 27, 32);         // [out][kx][ky][kz][in], as spconv 2
//   conv.value().run(map.value(), features, out, threads);
// Arithmetic: an output element is one chain of f32 fma from +0 over the kernel's offsets in ascending order
// (last axis fastest), of those with an input there, and in each over the input channels in ascending order;
// then the bias, then the residual are added, then ReLU. The bits are the same on every instruction set and
// for every number of threads. A weight meets no input where there is no site: 0 * infinity never appears.
// Sources: Graham et al., 3D Semantic Segmentation with Submanifold Sparse Convolutional Networks (2018); the
// conventions are those of spconv 2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sterna/status.h"
#include "sterna/threads.h"

namespace sterna {

/// Where a cloud has points: distinct sites of a grid, in the caller's order. A handle to what never changes;
/// copies are cheap and are the same sites.
class Sites {
 public:
  /// coords: [n][1 + D], batch index first, then D = 1..4 coordinates, 0 <= coordinate < shape[axis]; no site
  /// twice. shape: D sizes of at least 1; grids of any volume, as long as the box around the sites times its
  /// batches has no more than 2^63 cells. n = 0 is an empty cloud.
  /// Errors: kInvalidArgument naming the first wrong row; kUnsupported for 2^31 sites and more, and for a
  /// larger box; kOutOfMemory.
  static Result<Sites> create(std::span<const int32_t> coords, std::span<const int32_t> shape,
                              int32_t batch_size);

  size_t size() const;
  size_t dims() const;  ///< D.
  int32_t batch_size() const;
  std::span<const int32_t> shape() const;
  std::span<const int32_t> coords() const;  ///< [size()][1 + D].
  bool same_as(const Sites& other) const { return impl_ == other.impl_; }

  struct Impl;
  explicit Sites(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}  ///< For the library.
  const Impl& impl() const { return *impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

/// Of a layer; one number for each axis. An empty list is 1, or 0 for padding, on every axis.
struct ConvShape {
  std::vector<int32_t> kernel;    ///< At least 1; at most 2^20 offsets in all.
  std::vector<int32_t> stride;    ///< At least 1.
  std::vector<int32_t> padding;   ///< At least 0.
  std::vector<int32_t> dilation;  ///< At least 1.
};

/// Which output sites a layer with strides has.
enum class SiteRule {
  kConv,   ///< All whose window meets an input: o*stride - padding + k*dilation = i for some input i and
           ///< offset k.
  kFloor,  ///< floor(i / stride) of the inputs, as MinkowskiEngine; without padding. An offset is then
           ///< k - kernel/2 on axes where the kernel is odd, else k.
};

/// Which input of which site meets which offset of a kernel: made once, used by all layers that share it. The
/// same for every number of threads.
class KernelMap {
 public:
  /// The outputs are the inputs. Kernels are odd on every axis, shape.stride and shape.padding empty.
  /// Errors: kInvalidArgument, kOutOfMemory.
  static Result<KernelMap> submanifold(const Sites& sites, const ConvShape& shape, const Threads& threads);
  /// The outputs are new sites, sorted by batch, then coordinates. With kConv the output grid has
  /// floor((size + 2*padding - dilation*(kernel - 1) - 1) / stride) + 1 places on an axis, with kFloor
  /// ceil(size / stride).
  /// Errors: kInvalidArgument, also if the output grid is empty, or if there are sites and no output meets
  /// one; kUnsupported for 2^31 pairs and more; kOutOfMemory.
  static Result<KernelMap> strided(const Sites& sites, const ConvShape& shape, const Threads& threads,
                                   SiteRule rule = SiteRule::kConv);
  /// Of the transposed convolution: input i meets output o = i*stride - padding + k*dilation, in a grid of
  /// (size - 1)*stride - 2*padding + dilation*(kernel - 1) + 1 + output_padding places on an axis; all such
  /// outputs are new sites, up to volume() for each input. output_padding: for each axis less than stride or
  /// dilation, or empty. Errors: as strided().
  static Result<KernelMap> transposed(const Sites& sites, const ConvShape& shape,
                                      const std::vector<int32_t>& output_padding, const Threads& threads);
  /// The same pairs with inputs and outputs exchanged: leads back to the sites that this map came from.
  /// Errors: kOutOfMemory.
  Result<KernelMap> inverse() const;

  const Sites& in() const;
  const Sites& out() const;
  size_t volume() const;   ///< Offsets of the kernel.
  size_t n_pairs() const;  ///< Multiply-adds of a layer: n_pairs * in channels * out channels.
  size_t n_pairs(size_t offset) const;
  /// The pairs of an offset (< volume()) as rows of inputs and of outputs, n_pairs(offset) of each, by
  /// ascending site.
  void pairs(size_t offset, std::span<int32_t> in, std::span<int32_t> out) const;

  struct Impl;
  explicit KernelMap(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}  ///< For the library.
  const Impl& impl() const { return *impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

struct SparseConvOptions {
  bool relu = false;
  /// Added before ReLU: as large as the output, which it may be; or empty.
  std::span<const float> residual = {};
};

/// The weights of a layer, packed; immutable, usable from several threads at once.
class SparseConv {
 public:
  /// weights: [out][volume][in], the kernel's offsets with the last axis fastest. bias: out numbers, or none.
  /// Errors: kInvalidArgument, kOutOfMemory.
  static Result<SparseConv> pack(std::span<const float> weights, size_t out_channels, size_t volume,
                                 size_t in_channels, std::span<const float> bias = {});

  /// x: [map.in().size()][in_channels], out: [map.out().size()][out_channels], both contiguous; x must not
  /// overlap out. Errors: kInvalidArgument, kOutOfMemory.
  Status run(const KernelMap& map, std::span<const float> x, std::span<float> out, const Threads& threads,
             const SparseConvOptions& options = {}) const;

  size_t out_channels() const;
  size_t volume() const;
  size_t in_channels() const;

  struct Impl;
  explicit SparseConv(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}  ///< For the library.

 private:
  std::shared_ptr<const Impl> impl_;
};

enum class SparsePool {
  kMax,      ///< Of equal ones the first; NaN if one is.
  kAverage,  ///< Of the inputs that are there: their sum from +0, offset after offset, divided by their
             ///< number.
};

/// Pools the inputs that meet each output; an output that meets none is 0. x: [map.in().size()][channels],
/// out: [map.out().size()][channels], not overlapping. The bits are the same for every number of threads.
/// Errors: kInvalidArgument, kOutOfMemory.
Status sparse_pool(const KernelMap& map, SparsePool kind, std::span<const float> x, size_t channels,
                   std::span<float> out, const Threads& threads);
/// Pools all sites of each batch index: out: [sites.batch_size()][channels], 0 where there are none. Averages
/// are summed in double precision in the order of the sorted sites and rounded once, so that the order of the
/// rows changes nothing. Errors: kInvalidArgument, kOutOfMemory.
Status sparse_global_pool(const Sites& sites, SparsePool kind, std::span<const float> x, size_t channels,
                          std::span<float> out, const Threads& threads);

}  // namespace sterna
