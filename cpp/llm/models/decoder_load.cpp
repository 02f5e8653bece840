// Loading a Decoder: every tensor that the graph needs must be there with the right shape, every tensor that
// the graph has no place for is refused if it would change the result; then the weights are packed, or copied
// as they are, one by one, and their source pages released. Nothing reads the file afterwards: what happens
// to it then is nobody's concern.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "formats/format.h"
#include "llm/models/decoder.h"
#include "llm/models/decoder_kernels.h"

namespace sterna::models {

class Decoder::Loader {
 public:
  Loader(Decoder& d, const GgufFile& file, const HeadOptions& head,
         const std::function<bool(float)>& progress)
      : d_(d), file_(file), head_(head), progress_(progress) {}

  Status run() {
    const DecoderSpec& s = d_.spec_;
    const size_t q = s.n_head * s.head_dim, kv = s.n_head_kv * s.head_dim;
    STERNA_RETURN_IF_ERROR(embedding());
    STERNA_RETURN_IF_ERROR(vector("output_norm.weight", s.n_embd, true, d_.output_norm_));
    STERNA_RETURN_IF_ERROR(vector("rope_freqs.weight", s.rope.n_rot / 2, false, d_.rope_factors_));
    for (float f : d_.rope_factors_)
      if (!(f > 0))
        return error("rope_freqs.weight", "got " + std::to_string(f) + ", expected numbers above 0");

    d_.layers_.resize(s.n_layer);
    for (size_t i = 0; i < s.n_layer; i++) {
      Layer& l = d_.layers_[i];
      const std::string p = "blk." + std::to_string(i) + ".";
      STERNA_RETURN_IF_ERROR(vector(p + "attn_norm.weight", s.n_embd, true, l.attn_norm));
      STERNA_RETURN_IF_ERROR(vector(p + "ffn_norm.weight", s.n_embd, true, l.ffn_norm));
      if (s.sub_norms) {
        STERNA_RETURN_IF_ERROR(vector(p + "attn_sub_norm.weight", q, true, l.attn_sub_norm));
        STERNA_RETURN_IF_ERROR(vector(p + "ffn_sub_norm.weight", s.n_ff, true, l.ffn_sub_norm));
      }
      if (s.qk_norms) {
        STERNA_RETURN_IF_ERROR(vector(p + "attn_q_norm.weight", s.head_dim, true, l.q_norm));
        STERNA_RETURN_IF_ERROR(vector(p + "attn_k_norm.weight", s.head_dim, true, l.k_norm));
      }
      if (const GgufTensor* fused = file_.find_tensor(p + "attn_qkv.weight")) {
        STERNA_RETURN_IF_ERROR(split_qkv(*fused, p, l, q, kv));
      } else {
        STERNA_RETURN_IF_ERROR(matrix(p + "attn_q", q, s.n_embd, l.q, l.bias_q, s.qkv_bias));
        STERNA_RETURN_IF_ERROR(matrix(p + "attn_k", kv, s.n_embd, l.k, l.bias_k, s.qkv_bias));
        STERNA_RETURN_IF_ERROR(matrix(p + "attn_v", kv, s.n_embd, l.v, l.bias_v, s.qkv_bias));
      }
      STERNA_RETURN_IF_ERROR(matrix(p + "attn_output", s.n_embd, q, l.o, l.bias_o));
      STERNA_RETURN_IF_ERROR(matrix(p + "ffn_gate", s.n_ff, s.n_embd, l.gate, l.bias_gate));
      STERNA_RETURN_IF_ERROR(matrix(p + "ffn_up", s.n_ff, s.n_embd, l.up, l.bias_up));
      STERNA_RETURN_IF_ERROR(matrix(p + "ffn_down", s.n_embd, s.n_ff, l.down, l.bias_down));
    }
    const bool tied = !file_.find_tensor("output.weight");
    STERNA_RETURN_IF_ERROR(
        matrix(tied ? "token_embd" : "output", d_.n_vocab_, s.n_embd, d_.head_, d_.head_bias_));
    STERNA_RETURN_IF_ERROR(quantize_head());
    STERNA_RETURN_IF_ERROR(refuse_leftovers());
    STERNA_RETURN_IF_ERROR(pack());
    STERNA_RETURN_IF_ERROR(screen_head());
    STERNA_RETURN_IF_ERROR(keep_embedding());
    describe_tensors();
    if (progress_ && !progress_(1.0f)) return Status(Code::kCancelled, "[model] loading was cancelled");
    return {};
  }

 private:
  struct Plan {
    const GgufTensor* tensor;
    const formats::Format* format;
    size_t first_row, rows, depth;
    cpu::Weight* weight;
    const std::vector<float>* bias;
    float out_scale;
    const formats::Format* packed;  ///< What it is packed as: `format`, or another one.
    cpu::TensorRows source() const {
      return {format, tensor->data + first_row * formats::row_bytes(*format, depth), rows, depth, packed};
    }
  };

  Status error(const std::string& tensor, const std::string& what, Code code = Code::kCorrupt) const {
    return Status(code, "[model] " + file_.path() + ": tensor '" + tensor + "': " + what);
  }

  static std::string shape_text(std::span<const uint64_t> shape) {
    std::string s = "[";
    for (uint64_t n : shape) s += (s.size() > 1 ? ", " : "") + std::to_string(n);
    return s + "]";
  }

  /// The tensor if its shape is `shape` up to trailing ones.
  Result<const GgufTensor*> find(const std::string& name, std::span<const uint64_t> shape, bool required) {
    const GgufTensor* t = file_.find_tensor(name);
    if (!t) {
      if (required) return error(name, "is missing");
      return t;
    }
    std::vector<uint64_t> ne = t->shape;
    while (ne.size() > shape.size() && ne.back() == 1) ne.pop_back();
    if (!std::equal(ne.begin(), ne.end(), shape.begin(), shape.end()))
      return error(name, "shape, got " + shape_text(t->shape) + ", expected " + shape_text(shape));
    used_.insert(name);
    return t;
  }

  /// A one-dimensional tensor as finite floats; empty if absent and not required.
  Status vector(const std::string& name, size_t n, bool required, std::vector<float>& out) {
    const uint64_t shape[] = {n};
    STERNA_ASSIGN(const GgufTensor* t, find(name, shape, required));
    if (!t) return {};
    const formats::Format* f = formats::by_name(t->format.c_str());
    if (!f || f->codes.fold != Fold::kFloat)
      return error(name, "type, got " + t->format + ", expected F32, F16 or BF16");
    out.resize(n);
    f->decode(t->data, n, 1, out.data());
    for (size_t i = 0; i < n; i++)
      if (!std::isfinite(out[i]))
        return error(name, "element " + std::to_string(i) + " is not a finite number");
    return {};
  }

  Result<const formats::Format*> matrix_format(const GgufTensor& t) const {
    const formats::Format* f = formats::by_name(t.format.c_str());
    if (!f) return error(t.name, "type " + t.format + " cannot be multiplied with", Code::kUnsupported);
    return f;
  }

  /// Plans `name`.weight (rows x depth) with its optional side-car scale and bias.
  Status matrix(const std::string& name, size_t rows, size_t depth, cpu::Weight& out,
                std::vector<float>& bias, bool bias_required = false) {
    const uint64_t shape[] = {depth, rows};
    STERNA_ASSIGN(const GgufTensor* t, find(name + ".weight", shape, true));
    STERNA_ASSIGN(const formats::Format* f, matrix_format(*t));
    STERNA_RETURN_IF_ERROR(vector(name + ".bias", rows, bias_required, bias));
    std::vector<float> scale;
    STERNA_RETURN_IF_ERROR(vector(name + ".scale", 1, false, scale));
    plans_.push_back({t, f, 0, rows, depth, &out, &bias, scale.empty() ? 1.0f : scale[0], f});
    return {};
  }

  /// Fused projections hold the rows of q, then k, then v.
  Status split_qkv(const GgufTensor& fused, const std::string& p, Layer& l, size_t q, size_t kv) {
    const uint64_t shape[] = {d_.spec_.n_embd, q + 2 * kv};
    STERNA_RETURN_IF_ERROR(find(fused.name, shape, true).status());
    STERNA_ASSIGN(const formats::Format* f, matrix_format(fused));
    if (f->tail_bytes)
      return error(fused.name, "a fused matrix of type " + fused.format + " is not implemented",
                   Code::kUnsupported);
    std::vector<float> bias, scale;
    STERNA_RETURN_IF_ERROR(vector(p + "attn_qkv.bias", q + 2 * kv, d_.spec_.qkv_bias, bias));
    STERNA_RETURN_IF_ERROR(vector(p + "attn_qkv.scale", 1, false, scale));
    const size_t starts[] = {0, q, q + kv, q + 2 * kv};
    cpu::Weight* weights[] = {&l.q, &l.k, &l.v};
    std::vector<float>* biases[] = {&l.bias_q, &l.bias_k, &l.bias_v};
    for (int i = 0; i < 3; i++) {
      if (!bias.empty()) biases[i]->assign(bias.begin() + starts[i], bias.begin() + starts[i + 1]);
      plans_.push_back({&fused, f, starts[i], starts[i + 1] - starts[i], d_.spec_.n_embd, weights[i],
                        biases[i], scale.empty() ? 1.0f : scale[0], f});
    }
    return {};
  }

  Status embedding() {
    const GgufTensor* t = file_.find_tensor("token_embd.weight");
    if (!t) return error("token_embd.weight", "is missing");
    if (t->shape.size() < 2)
      return error(t->name,
                   "shape, got " + shape_text(t->shape) + ", expected [embedding length, vocabulary]");
    d_.n_vocab_ = t->shape[1];
    if (d_.n_vocab_ > (size_t(1) << 24))
      return error(t->name, "got " + std::to_string(d_.n_vocab_) + " rows, expected at most 2^24");
    const uint64_t shape[] = {d_.spec_.n_embd, d_.n_vocab_};
    STERNA_RETURN_IF_ERROR(find(t->name, shape, true).status());
    STERNA_ASSIGN(d_.embedding_format_, matrix_format(*t));
    d_.embedding_scale_ = formats::tensor_scale(*d_.embedding_format_, t->data, d_.spec_.n_embd, d_.n_vocab_);
    return {};
  }

  /// Tensors with no place in the graph change the result, so they are refused. Left out are those that hold
  /// nothing new: the rotary factors again, frequencies that follow from the metadata, the constant of a
  /// mask, and scales for activations of other kinds than ours.
  Status refuse_leftovers() {
    const GgufTensor* factors = file_.find_tensor("rope_freqs.weight");
    for (const GgufTensor& t : file_.tensors()) {
      const bool of_embedding = t.name == "token_embd.bias" || t.name == "token_embd.scale";
      if (used_.count(t.name) && !of_embedding) continue;
      const bool again = t.name.ends_with(".rope_freqs.weight") && factors && t.format == factors->format &&
                         t.shape == factors->shape && std::memcmp(t.data, factors->data, t.bytes) == 0;
      constexpr const char* kNothingNew[] = {".input_scale", ".attn_rot_embd", ".attn_rot_embd.weight",
                                             ".masked_bias"};
      if (!again && std::none_of(std::begin(kNothingNew), std::end(kNothingNew),
                                 [&](const char* end) { return t.name.ends_with(end); }))
        return error(t.name, "has no place in the graph of this architecture", Code::kUnsupported);
      d_.spec_.warnings.push_back("tensor '" + t.name + "' is not used");
    }
    return {};
  }

  Status pack() {
    uint64_t total = 0, done = 0;
    std::vector<size_t> offsets;
    for (const Plan& p : plans_) {
      offsets.push_back(total);
      total += cpu::packed_bytes(*p.packed, p.rows, p.depth);
    }
    d_.storage_ = Buffer::allocate(total, /*huge=*/true);
    if (total && d_.storage_.empty())
      return Status(Code::kOutOfMemory,
                    "[model] no memory for " + std::to_string(total) + " bytes of weights");
    for (size_t i = 0; i < plans_.size(); i++) {
      const Plan& p = plans_[i];
      if (progress_ && !progress_(total ? float(double(done) / double(total)) : 0.0f))
        return Status(Code::kCancelled, "[model] loading was cancelled");
      auto w = cpu::make_weight(p.source(), d_.storage_.data() + offsets[i], d_.pool_);
      if (!w.ok()) return error(p.tensor->name, w.status().message(), w.status().code());
      *p.weight = std::move(w.value());
      p.weight->out_scale = p.out_scale;
      p.weight->bias = p.bias->empty() ? nullptr : p.bias->data();
      d_.weights_.push_back(p.weight);
      if (&p != &plans_.back()) file_.release(*p.tensor);  // screening reads the output matrix again
      done += cpu::packed_bytes(*p.packed, p.rows, p.depth);
    }
    return {};
  }

  /// The last plan is that of the output matrix.
  Status quantize_head() {
    if (head_.bits == 0) return {};
    Plan& p = plans_.back();
    const int bits = head_.bits;
    p.packed = formats::by_name(bits == 8 ? "Q8_0" : bits == 6 ? "Q6_K" : "Q4_0");
    if (p.depth % p.packed->block_elems)
      return Status(Code::kInvalidArgument, "[load] head_bits, got " + std::to_string(bits) +
                                                " for rows of " + std::to_string(p.depth) +
                                                " elements, expected a multiple of " +
                                                std::to_string(p.packed->block_elems));
    return {};
  }

  Status screen_head() {
    using Choice = HeadOptions::Screen;
    const Plan& p = plans_.back();
    const formats::CodeSpec& codes = p.packed->codes;
    const bool large = (codes.fold == Fold::kFloat || codes.bits >= 8) && p.rows >= 16384 &&
                       p.weight->bytes() > (size_t(32) << 20);
    if (head_.screen == Choice::kOff || (head_.screen == Choice::kAuto && !large)) return {};
    if (const std::string why = cpu::Screen::refusal(p.source(), *p.weight); !why.empty()) {
      if (head_.screen == Choice::kAuto) return {};
      return error(p.tensor->name, why, Code::kUnsupported);
    }
    auto screen = cpu::Screen::make(p.source(), *p.weight, d_.pool_);
    if (!screen.ok()) return error(p.tensor->name, screen.status().message(), screen.status().code());
    d_.screen_ = std::move(screen.value());
    return {};
  }

  /// Rows of the embedding as in the file: those of the output matrix, if that holds the same, or a copy.
  Status keep_embedding() {
    const GgufTensor& t = *file_.find_tensor("token_embd.weight");
    const Plan& head = plans_.back();
    const size_t bytes = d_.n_vocab_ * formats::row_bytes(*d_.embedding_format_, d_.spec_.n_embd);
    if (head.tensor == &t && head.weight->fgemm) {
      d_.embedding_ = head.weight->data;
    } else {
      d_.embedding_copy_ = Buffer::allocate(bytes);
      if (d_.embedding_copy_.empty())
        return error(t.name, "no memory for its " + std::to_string(bytes) + " bytes", Code::kOutOfMemory);
      std::memcpy(d_.embedding_copy_.data(), t.data, bytes);
      d_.embedding_ = d_.embedding_copy_.data();
    }
    file_.release(t);
    file_.release(*head.tensor);
    return {};
  }

  /// What tensors() tells.
  void describe_tensors() {
    for (const GgufTensor& t : file_.tensors()) {
      TensorInfo info{t.name, t.format, t.shape, t.bytes, "", ""};
      for (const Plan& p : plans_) {
        if (p.tensor != &t) continue;
        const formats::CodeSpec& c = p.weight->layout.spec;
        info.kernel = p.weight->kernel;
        info.why = p.weight->fgemm ? "float weights are read as they are in the file"
                                   : std::to_string(c.bits) + "-bit codes, " +
                                         (c.fold == Fold::kRow ? std::string("one scale a row")
                                                               : "scales per " + std::to_string(c.block)) +
                                         "; packed in panels of 16 rows; choice " + p.weight->why;
        if (p.weight != &d_.head_) continue;
        if (t.name == "token_embd.weight") info.why += "; also the output matrix";
        if (d_.screen_) info.why += "; screened with two 4-bit planes";
      }
      d_.tensors_.push_back(std::move(info));
    }
  }

  Decoder& d_;
  const GgufFile& file_;
  const HeadOptions& head_;
  const std::function<bool(float)>& progress_;
  std::set<std::string> used_;
  std::vector<Plan> plans_;
};

Result<std::unique_ptr<Decoder>> Decoder::load(const GgufFile& file, DecoderSpec spec, ThreadPool& pool,
                                               const PassOptions& options,
                                               const std::function<bool(float)>& progress) {
  std::unique_ptr<Decoder> d(new Decoder(std::move(spec), pool));
  d->n_ctx_ = options.n_ctx;
  d->n_batch_ = std::min(options.n_batch, options.n_ctx);
  STERNA_RETURN_IF_ERROR(Loader(*d, file, options.head, progress).run());
  STERNA_RETURN_IF_ERROR(d->allocate(options.kv_type));
  return d;
}

}  // namespace sterna::models
