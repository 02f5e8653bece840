// The public sparse convolution: checks arguments once, then calls cpp/sparse.
#include "sterna/point_cloud.h"

#include <algorithm>
#include <string>

#include "base/checked_math.h"
#include "base/public_call.h"
#include "sparse/conv.h"
#include "sparse/kernel_map.h"
#include "sparse/pooling.h"
#include "sparse/sites.h"

namespace sterna {
namespace {

Status bad(const std::string& what) { return Status(Code::kInvalidArgument, "[sparse] " + what); }
std::string num(size_t n) { return std::to_string(n); }

Status check_size(const char* name, size_t got, size_t rows, size_t columns) {
  uint64_t want;
  if (checked_mul(rows, columns, &want) && got == want) return {};
  return bad(std::string(name) + ", got " + num(got) + " numbers, expected " + num(rows) + " x " +
             num(columns));
}

}  // namespace

Result<Sites> Sites::create(std::span<const int32_t> coords, std::span<const int32_t> shape,
                            int32_t batch_size) {
  return public_call("sites",
                     [&](FloatEnvironment&) { return sparse::make_sites(coords, shape, batch_size); });
}

size_t Sites::size() const { return impl_->keys.size(); }
size_t Sites::dims() const { return impl_->shape.size(); }
int32_t Sites::batch_size() const { return impl_->batch_size; }
std::span<const int32_t> Sites::shape() const { return impl_->shape; }
std::span<const int32_t> Sites::coords() const { return impl_->coords; }

Result<KernelMap> KernelMap::submanifold(const Sites& sites, const ConvShape& shape, const Threads& threads) {
  return public_call("kernel map", [&](FloatEnvironment&) {
    return sparse::submanifold_map(sites, shape, *threads.pool());
  });
}

Result<KernelMap> KernelMap::strided(const Sites& sites, const ConvShape& shape, const Threads& threads,
                                     SiteRule rule) {
  return public_call("kernel map", [&](FloatEnvironment&) {
    return sparse::strided_map(sites, shape, rule, *threads.pool());
  });
}

Result<KernelMap> KernelMap::transposed(const Sites& sites, const ConvShape& shape,
                                        const std::vector<int32_t>& output_padding, const Threads& threads) {
  return public_call("kernel map", [&](FloatEnvironment&) {
    return sparse::transposed_map(sites, shape, output_padding, *threads.pool());
  });
}

Result<KernelMap> KernelMap::inverse() const {
  return public_call("kernel map", [&](FloatEnvironment&) { return sparse::inverse_map(*this); });
}

const Sites& KernelMap::in() const { return impl_->in; }
const Sites& KernelMap::out() const { return impl_->out; }
size_t KernelMap::volume() const { return impl_->volume(); }
size_t KernelMap::n_pairs() const { return impl_->n_pairs(); }
size_t KernelMap::n_pairs(size_t offset) const { return impl_->begin[offset + 1] - impl_->begin[offset]; }

void KernelMap::pairs(size_t offset, std::span<int32_t> in, std::span<int32_t> out) const {
  const size_t begin = impl_->begin[offset];
  for (size_t i = 0; i < n_pairs(offset); i++) {
    in[i] = impl_->input[begin + i];
    out[i] = impl_->out.impl().order[size_t(impl_->place[begin + i])];
  }
}

Result<SparseConv> SparseConv::pack(std::span<const float> weights, size_t out_channels, size_t volume,
                                    size_t in_channels, std::span<const float> bias) {
  return public_call("sparse conv", [&](FloatEnvironment&) -> Result<SparseConv> {
    if (!out_channels || !volume || !in_channels)
      return bad("weights, got " + num(out_channels) + " x " + num(volume) + " x " + num(in_channels) +
                 ", expected at least one of each");
    uint64_t columns;
    if (!checked_mul(volume, in_channels, &columns))
      return bad("weights, got more channels than there can be");
    STERNA_RETURN_IF_ERROR(check_size("weights", weights.size(), out_channels, columns));
    if (!bias.empty()) STERNA_RETURN_IF_ERROR(check_size("bias", bias.size(), out_channels, 1));
    auto impl = std::make_shared<Impl>();
    impl->out_channels = out_channels, impl->volume = volume, impl->in_channels = in_channels;
    impl->n_panels = ceil_div(out_channels, 16);
    STERNA_ASSIGN(impl->weights, sparse::pack_weights(weights, *impl));
    impl->bias.assign(bias.begin(), bias.end());
    return SparseConv(std::move(impl));
  });
}

Status SparseConv::run(const KernelMap& map, std::span<const float> x, std::span<float> out,
                       const Threads& threads, const SparseConvOptions& options) const {
  return public_call("sparse conv", [&](FloatEnvironment&) -> Status {
    if (map.volume() != impl_->volume)
      return bad("map, got one of " + num(map.volume()) + " offsets, expected " + num(impl_->volume));
    STERNA_RETURN_IF_ERROR(check_size("x", x.size(), map.in().size(), impl_->in_channels));
    STERNA_RETURN_IF_ERROR(check_size("out", out.size(), map.out().size(), impl_->out_channels));
    if (!options.residual.empty())
      STERNA_RETURN_IF_ERROR(
          check_size("residual", options.residual.size(), map.out().size(), impl_->out_channels));
    return sparse::convolve(*impl_, map.impl(), x.data(), out.data(), *threads.pool(), options,
                            sparse::tile_outputs(16 * impl_->n_panels));
  });
}

size_t SparseConv::out_channels() const { return impl_->out_channels; }
size_t SparseConv::volume() const { return impl_->volume; }
size_t SparseConv::in_channels() const { return impl_->in_channels; }

Status sparse_pool(const KernelMap& map, SparsePool kind, std::span<const float> x, size_t channels,
                   std::span<float> out, const Threads& threads) {
  return public_call("sparse pool", [&](FloatEnvironment&) -> Status {
    STERNA_RETURN_IF_ERROR(check_size("x", x.size(), map.in().size(), channels));
    STERNA_RETURN_IF_ERROR(check_size("out", out.size(), map.out().size(), channels));
    sparse::pool_sites(map.impl(), kind, x.data(), channels, out.data(), *threads.pool());
    return {};
  });
}

Status sparse_global_pool(const Sites& sites, SparsePool kind, std::span<const float> x, size_t channels,
                          std::span<float> out, const Threads& threads) {
  return public_call("sparse pool", [&](FloatEnvironment&) -> Status {
    STERNA_RETURN_IF_ERROR(check_size("x", x.size(), sites.size(), channels));
    STERNA_RETURN_IF_ERROR(check_size("out", out.size(), size_t(sites.batch_size()), channels));
    sparse::pool_batches(sites.impl(), kind, x.data(), channels, out.data(), *threads.pool());
    return {};
  });
}

}  // namespace sterna
