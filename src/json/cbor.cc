// Over libcbor's decoder of single items, which neither allocates nor recurses: how deep a document
// may go and what it may hold is decided here.
#include "json/cbor.h"

#include <array>
#include <cbor.h>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include "base/json_text.h"
#include "base/utf8.h"

namespace gnomon::json {
namespace {

namespace bj = boost::json;

// Builder: puts single items together. The first thing that is wrong is kept, the rest passed over.
class Builder {
 public:
  explicit Builder(const Limits& limits) : limits_(limits) {}

  void value(Value value) {
    if (text_) return refuse("a piece of a text that is none");
    if (done_) return refuse("there is more behind the item");
    tagged_ = false;
    if (open_.empty()) {
      done_ = std::move(value);
      return;
    }
    Open& in = open_.back();
    if (auto* array = in.value.if_array()) {
      array->push_back(std::move(value));
    } else if (!in.name) {
      return take_name(in, value);
    } else {
      in.value.get_object()[*in.name] = std::move(value);
      in.name.reset();
    }
    count_down();
  }
  void text(std::string_view piece) {
    if (!is_mqtt_utf8(piece)) return refuse("a text that is not UTF-8, or holds U+0000");
    if (text_) {
      text_->append(piece);
    } else {
      value(bj::string(piece));
    }
  }
  void begin_text() {
    if (text_) return refuse("a text in a text");
    text_.emplace();
  }
  // `items`: of an array, or pairs of a map; nothing: until a break.
  void begin(Value empty, std::optional<std::uint64_t> items) {
    if (text_) return refuse("a piece of a text that is none");
    if (done_) return refuse("there is more behind the item");
    if (!open_.empty() && open_.back().value.is_object() && !open_.back().name)
      return refuse("a name that is no text");
    if (open_.size() >= static_cast<std::size_t>(limits_.depth_max)) {
      return refuse("arrays and maps are more than " + std::to_string(limits_.depth_max) + " deep");
    }
    tagged_ = false;
    open_.push_back({std::move(empty), items, {}});
    end_full();
  }
  void stop() {
    if (text_) {
      const std::string whole = std::move(*text_);
      text_.reset();
      return value(bj::string(whole));
    }
    if (open_.empty() || open_.back().left || open_.back().name)
      return refuse("a break that ends nothing");
    end();
  }
  void tag(std::uint64_t number) {
    constexpr std::uint64_t self_described = 55799;  // RFC 8949 §3.4.6
    if (number != self_described || text_ || tagged_ || done_ || !open_.empty())
      return refuse("a tag (" + std::to_string(number) + ")");
    tagged_ = true;
  }
  void refuse(std::string why) {
    if (why_.empty()) why_ = std::move(why);
  }

  [[nodiscard]] const std::string& why() const { return why_; }
  std::optional<Value> release() { return std::move(done_); }

 private:
  struct Open {
    Value value;  // an array or object
    std::optional<std::uint64_t> left;
    std::optional<std::string> name;  // of the value that comes next
  };

  void take_name(Open& in, const Value& value) {
    const auto* name = value.if_string();
    if (name == nullptr) return refuse("a name that is no text");
    in.name.emplace(*name);
    if (limits_.duplicates == Duplicates::refused && in.value.get_object().contains(*name))
      refuse("the name " + json_text(*in.name) + " is there twice in one map");
  }
  void count_down() {
    if (open_.back().left) --*open_.back().left;
    end_full();
  }
  void end_full() {
    if (open_.back().left == 0U) end();
  }
  void end() {
    Value whole = std::move(open_.back().value);
    open_.pop_back();
    value(std::move(whole));
  }

  const Limits& limits_;
  std::vector<Open> open_;
  std::optional<std::string> text_;  // of indefinite length
  std::optional<Value> done_;
  bool tagged_ = false;
  std::string why_;
};

Builder& to(void* builder) { return *static_cast<Builder*>(builder); }

// -1 - n
void negative(void* builder, std::uint64_t n) {
  if (n <= INT64_MAX) return to(builder).value(-1 - static_cast<std::int64_t>(n));
  to(builder).value(-1.0 - static_cast<double>(n));
}
void number(void* builder, double value) {
  if (!std::isfinite(value)) return to(builder).refuse("a number that is none");
  to(builder).value(value);
}

cbor_callbacks callbacks() {
  cbor_callbacks call = cbor_empty_callbacks;
  call.uint8 = [](void* b, std::uint8_t n) { to(b).value(std::uint64_t{n}); };
  call.uint16 = [](void* b, std::uint16_t n) { to(b).value(std::uint64_t{n}); };
  call.uint32 = [](void* b, std::uint32_t n) { to(b).value(std::uint64_t{n}); };
  call.uint64 = [](void* b, std::uint64_t n) { to(b).value(n); };
  call.negint8 = [](void* b, std::uint8_t n) { negative(b, n); };
  call.negint16 = [](void* b, std::uint16_t n) { negative(b, n); };
  call.negint32 = [](void* b, std::uint32_t n) { negative(b, n); };
  call.negint64 = negative;
  call.byte_string_start = [](void* b) { to(b).refuse("a byte string"); };
  call.byte_string = [](void* b, cbor_data, std::size_t) { to(b).refuse("a byte string"); };
  call.string = [](void* b, cbor_data data, std::size_t size) {
    to(b).text(as_text({data, size}));
  };
  call.string_start = [](void* b) { to(b).begin_text(); };
  call.indef_array_start = [](void* b) { to(b).begin(bj::array(), {}); };
  call.array_start = [](void* b, std::size_t items) { to(b).begin(bj::array(), items); };
  call.indef_map_start = [](void* b) { to(b).begin(bj::object(), {}); };
  call.map_start = [](void* b, std::size_t pairs) { to(b).begin(bj::object(), pairs); };
  call.tag = [](void* b, std::uint64_t number) { to(b).tag(number); };
  call.float2 = [](void* b, float value) { number(b, value); };
  call.float4 = [](void* b, float value) { number(b, value); };
  call.float8 = number;
  call.undefined = [](void* b) { to(b).refuse("undefined"); };
  call.null = [](void* b) { to(b).value(nullptr); };
  call.boolean = [](void* b, bool value) { to(b).value(value); };
  call.indef_break = [](void* b) { to(b).stop(); };
  return call;
}

Error fault(std::size_t at, const std::string& what) {
  return {Code::invalid, "byte " + std::to_string(at) + ": " + what};
}

// ---- writing

template <class Encode>
void append(std::string& out, Encode encode) {
  std::array<unsigned char, 9> head;  // the longest there is, RFC 8949 §3
  const std::size_t size = encode(head.data(), head.size());
  out.append(as_text({head.data(), size}));
}

void write_text(std::string& out, std::string_view text) {
  append(out, [&](auto* at, std::size_t room) {
    return cbor_encode_string_start(text.size(), at, room);
  });
  out += text;
}

// As deep as what parse() and from_cbor() let through.
void write_item(std::string& out, const Value& value) {
  switch (value.kind()) {
    case bj::kind::null:
      return append(out, cbor_encode_null);
    case bj::kind::bool_:
      return append(
          out, [&](auto* at, auto room) { return cbor_encode_bool(value.get_bool(), at, room); });
    case bj::kind::int64: {
      const std::int64_t n = value.get_int64();
      return append(out, [n](auto* at, auto room) {
        return n < 0 ? cbor_encode_negint(static_cast<std::uint64_t>(-1 - n), at, room)
                     : cbor_encode_uint(static_cast<std::uint64_t>(n), at, room);
      });
    }
    case bj::kind::uint64:
      return append(
          out, [&](auto* at, auto room) { return cbor_encode_uint(value.get_uint64(), at, room); });
    case bj::kind::double_:
      return append(out, [&](auto* at, auto room) {
        return cbor_encode_double(value.get_double(), at, room);
      });
    case bj::kind::string:
      return write_text(out, value.get_string());
    case bj::kind::array:
      append(out, [&](auto* at, auto room) {
        return cbor_encode_array_start(value.get_array().size(), at, room);
      });
      for (const Value& item : value.get_array()) write_item(out, item);
      return;
    case bj::kind::object:
      append(out, [&](auto* at, auto room) {
        return cbor_encode_map_start(value.get_object().size(), at, room);
      });
      for (const auto& [name, item] : value.get_object()) {
        write_text(out, name);
        write_item(out, item);
      }
      return;
  }
}

}  // namespace

Result<Value> from_cbor(ByteView bytes, const Limits& limits) {
  static const cbor_callbacks call = callbacks();
  if (bytes.size() > limits.bytes_max) {
    return Error{Code::exhausted, "the CBOR item has " + std::to_string(bytes.size()) +
                                      " bytes; at most " + std::to_string(limits.bytes_max) +
                                      " are taken"};
  }
  Builder builder(limits);
  std::size_t at = 0;
  while (at < bytes.size()) {
    const auto read = cbor_stream_decode(bytes.data() + at, bytes.size() - at, &call, &builder);
    if (read.status == CBOR_DECODER_NEDATA) break;
    if (read.status == CBOR_DECODER_ERROR) return fault(at, "not CBOR");
    if (!builder.why().empty()) return fault(at, "not JSON in CBOR: " + builder.why());
    at += read.read;
  }
  auto done = builder.release();
  if (!done || at < bytes.size()) return fault(at, "the CBOR item ends too early");
  return std::move(*done);
}

std::string to_cbor(const Value& value) {
  std::string out;
  write_item(out, value);
  return out;
}

}  // namespace gnomon::json
