#include "api/pattern.h"

#include <memory>

#include <re2/re2.h>

namespace gnomon::api {

bool Pattern::fits(std::string_view text) const {
  const re2::RE2* compiled = compiled_.load(std::memory_order_acquire);
  if (compiled == nullptr) {
    re2::RE2::Options options;
    options.set_log_errors(false);  // api/generate has compiled each
    auto made = std::make_unique<re2::RE2>(re2::StringPiece(expression_.data(), expression_.size()),
                                           options);
    // Whoever is first wins; it lives as long as the table, which is for ever.
    if (compiled_.compare_exchange_strong(compiled, made.get(), std::memory_order_acq_rel)) {
      compiled = made.release();
    }
  }
  return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *compiled);
}

}  // namespace gnomon::api
