// Reads the lists of families and variants in both directions.
#include "kernels/names.h"

#include "kernels/contract/variants.h"

namespace sterna::kernels {
namespace {

constexpr Variant listed(Family f, const char* name, const QGemmVariant& v) { return {f, name, v, {}}; }
constexpr Variant listed(Family f, const char* name, const TablesVariant& v) { return {f, name, {}, v}; }
template <class Nothing>
constexpr Variant listed(Family f, const char* name, const Nothing&) {
  return {f, name, {}, {}};
}

#define STERNA_VARIANT(family, name, ...) listed(Family::family, #name, variants::family::name),
constexpr Variant kVariants[] = {
#include "kernels/contract/variants.inc"
};
#undef STERNA_VARIANT

/// The variant of a family that `fits`; null if there is none.
template <class Fits>
const Variant* variant_that(Family family, Fits fits) {
  for (const Variant& v : kVariants)
    if (v.family == family && fits(v)) return &v;
  return nullptr;
}
const Variant* variant_named(Family family, std::string_view name) {
  return variant_that(family, [&](const Variant& v) { return v.name == name; });
}

}  // namespace

std::span<const Variant> all_variants() { return kVariants; }

const char* family_name(Family family) {
#define STERNA_FAMILY(name, function, what) #name,
  static constexpr const char* kNames[] = {
#include "kernels/contract/families.inc"
  };
#undef STERNA_FAMILY
  return kNames[size_t(family)];
}

const QGemmVariant* qgemm_variant(std::string_view name) {
  const Variant* v = variant_named(Family::qgemm, name);
  return v ? &v->qgemm : nullptr;
}
const TablesVariant* tables_variant(std::string_view name) {
  const Variant* v = variant_named(Family::tables, name);
  return v ? &v->tables : nullptr;
}

const char* name_of(const QGemmVariant& variant) {
  const Variant* v = variant_that(Family::qgemm, [&](const Variant& x) { return x.qgemm == variant; });
  return v ? v->name : nullptr;
}
const char* name_of(const TablesVariant& variant) {
  const Variant* v = variant_that(Family::tables, [&](const Variant& x) { return x.tables == variant; });
  return v ? v->name : nullptr;
}

std::string base_name(const Kernel& k) { return std::string(family_name(k.family)) + "_" + k.variant; }

std::string full_name(const Kernel& k) {
  return base_name(k) + (*k.algorithm ? "_" : "") + k.algorithm + "_" + k.isa;
}

}  // namespace sterna::kernels
