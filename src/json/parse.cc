#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>

#include "base/json_text.h"
#include "json/json.h"

namespace gnomon::json {
namespace {

namespace bj = boost::json;
using bj::error_code;
using bj::string_view;

// Builds the tree from what the parser reports. `why` is set when we refuse what Boost takes.
class Builder {
 public:
  static constexpr std::size_t max_array_size = bj::array::max_size();
  static constexpr std::size_t max_object_size = bj::object::max_size();
  static constexpr std::size_t max_string_size = bj::string::max_size();
  static constexpr std::size_t max_key_size = bj::string::max_size();

  explicit Builder(Duplicates duplicates) : duplicates_(duplicates) {}

  bool on_document_begin(error_code&) {
    stack_.reset();
    return true;
  }
  bool on_document_end(error_code&) { return true; }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t count, error_code&) {
    stack_.push_array(count);
    return true;
  }
  bool on_object_begin(error_code&) { return true; }
  bool on_object_end(std::size_t count, error_code& error) {
    if (duplicates_ == Duplicates::refused && !distinct(count)) return refuse(error);
    stack_.push_object(count);
    return true;
  }
  bool on_string_part(string_view part, std::size_t, error_code&) {
    stack_.push_chars(part);
    return true;
  }
  bool on_string(string_view part, std::size_t, error_code&) {
    stack_.push_string(part);
    return true;
  }
  bool on_key_part(string_view part, std::size_t, error_code&) {
    if (duplicates_ == Duplicates::refused) key_.append(part.data(), part.size());
    stack_.push_chars(part);
    return true;
  }
  bool on_key(string_view part, std::size_t, error_code&) {
    if (duplicates_ == Duplicates::refused) {
      key_.append(part.data(), part.size());
      keys_.push_back(std::move(key_));
      key_.clear();
    }
    stack_.push_key(part);
    return true;
  }
  bool on_number_part(string_view part, error_code&) {
    number_.append(part.data(), part.size());
    return true;
  }
  bool on_int64(std::int64_t value, string_view, error_code&) {
    number_.clear();
    stack_.push_int64(value);
    return true;
  }
  bool on_uint64(std::uint64_t value, string_view, error_code&) {
    number_.clear();
    stack_.push_uint64(value);
    return true;
  }
  // Boost's own conversion may be one step off the nearest double.
  bool on_double(double value, string_view part, error_code& error) {
    number_.append(part.data(), part.size());
    const char* end = number_.data() + number_.size();
    const auto read = std::from_chars(number_.data(), end, value);
    const bool underflow = read.ec == std::errc::result_out_of_range && std::abs(value) < 1;
    if (!underflow && (read.ec != std::errc() || read.ptr != end || !std::isfinite(value))) {
      why_ = "a number is too large";
      return refuse(error);
    }
    number_.clear();
    stack_.push_double(value);
    return true;
  }
  bool on_bool(bool value, error_code&) {
    stack_.push_bool(value);
    return true;
  }
  bool on_null(error_code&) {
    stack_.push_null();
    return true;
  }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

  [[nodiscard]] const std::string& why() const { return why_; }
  Value release() { return stack_.release(); }

 private:
  static bool refuse(error_code& error) {
    error = bj::make_error_code(bj::error::syntax);
    return false;
  }
  // Takes the names of an object that ends off keys_.
  bool distinct(std::size_t count) {
    const auto begin = keys_.end() - static_cast<std::ptrdiff_t>(count);
    std::sort(begin, keys_.end());
    const auto twice = std::adjacent_find(begin, keys_.end());
    const bool good = twice == keys_.end();
    if (!good) why_ = "the name " + json_text(*twice) + " is there twice in one object";
    keys_.erase(begin, keys_.end());
    return good;
  }

  Duplicates duplicates_;
  bj::value_stack stack_;
  std::vector<std::string> keys_;  // of the objects that are open
  std::string key_, number_, why_;
};

Error fault(std::string_view text, std::size_t at, const std::string& what) {
  const std::string_view before = text.substr(0, at);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t newline = before.rfind('\n');
  const std::size_t column = newline == std::string_view::npos ? at + 1 : at - newline;
  return {Code::invalid,
          "line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + what};
}

std::string describe(const error_code& error, int depth_max) {
  if (error == bj::error::too_deep) {
    return "arrays and objects are more than " + std::to_string(depth_max) + " deep";
  }
  if (error == bj::error::incomplete) return "the JSON text ends too early";
  if (error == bj::error::extra_data) return "there is more behind the JSON text";
  if (error == bj::error::exponent_overflow) return "a number is too large";
  return "not JSON: " + error.message();
}

}  // namespace

Result<Value> parse(std::string_view text, const Limits& limits) {
  if (text.size() > limits.bytes_max) {
    return Error{Code::exhausted, "the JSON text has " + std::to_string(text.size()) +
                                      " bytes; at most " + std::to_string(limits.bytes_max) +
                                      " are taken"};
  }
  bj::parse_options options;
  options.max_depth = static_cast<std::size_t>(limits.depth_max);
  bj::basic_parser<Builder> parser(options, limits.duplicates);
  error_code error;
  const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
  if (!error && read < text.size()) error = bj::make_error_code(bj::error::extra_data);
  if (error) {
    const std::string& why = parser.handler().why();
    return fault(text, read, why.empty() ? describe(error, limits.depth_max) : why);
  }
  return parser.handler().release();
}

}  // namespace gnomon::json
