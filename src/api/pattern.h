// A pattern of a service model, in RE2's dialect. It is compiled when it is first needed, and then
// kept: a table has more of them than a server ever asks.
#pragma once

#include <atomic>
#include <string_view>

namespace re2 {
class RE2;
}

namespace gnomon::api {

class Pattern {
 public:
  // `shown`: as the model has it, for messages.
  constexpr Pattern(std::string_view expression, std::string_view shown)
      : expression_(expression), shown_(shown) {}

  // Whether all of `text` (UTF-8) fits. Any thread. Linear in the text.
  [[nodiscard]] bool fits(std::string_view text) const;
  [[nodiscard]] std::string_view shown() const { return shown_; }

 private:
  std::string_view expression_, shown_;
  mutable std::atomic<const re2::RE2*> compiled_{nullptr};
};

}  // namespace gnomon::api
