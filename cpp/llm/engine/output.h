// Generated text on its way out.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace sterna::engine {

/// Text on its way out: holds back what may be the beginning of a stop text. Texts of control tokens are
/// compared with stop texts, but not shown.
class Output {
 public:
  explicit Output(std::vector<std::string> stop) : stop_(std::move(stop)) {}
  bool stopped() const { return stopped_; }

  /// Takes new text; returns what can be shown. After a stop text nothing more comes.
  std::string push(std::string_view text, bool shown = true) {
    held_ += text;
    shown_.append(text.size(), shown);
    size_t cut = std::string::npos;
    for (const std::string& s : stop_)
      if (!s.empty()) cut = std::min(cut, held_.find(s));
    if (cut != std::string::npos) {
      stopped_ = true;
      held_.resize(cut);
      return flush();
    }
    size_t keep = 0;
    for (const std::string& s : stop_)
      for (size_t n = std::min(s.size(), held_.size()); n > keep; n--)
        if (held_.compare(held_.size() - n, n, s, 0, n) == 0) keep = n;
    return take(held_.size() - keep);
  }
  std::string flush() { return take(held_.size()); }

 private:
  std::string take(size_t n) {
    std::string out;
    for (size_t i = 0; i < n; i++)
      if (shown_[i]) out += held_[i];
    held_.erase(0, n);
    shown_.erase(0, n);
    return out;
  }

  std::vector<std::string> stop_;
  std::string held_, shown_;  // the bytes, and for each whether it is to be shown
  bool stopped_ = false;
};

}  // namespace sterna::engine
