#include "broker/records.h"

#include <bit>
#include <cstring>

namespace gnomon::broker::records {

static_assert(std::endian::native == std::endian::little, "numbers are copied as they lie");

namespace {

constexpr char tenant = 0;
constexpr char format = 1;
constexpr std::size_t prefix_size = 3;

void put_big(std::string& out, std::uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(number >> shift));
}

template <class T>
void put(std::string& out, T number) {
  char bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);
  out.append(bytes, sizeof number);
}

void put_text(std::string& out, std::string_view text) {
  put(out, static_cast<std::uint16_t>(text.size()));
  out.append(text);
}

// Takes numbers off the front of a value; good() is false once it was too short.
class Reader {
 public:
  explicit Reader(std::string_view value) : rest_(value) {
    good_ = take<char>() == format && good_;
  }
  template <class T>
  T take() {
    T number{};
    if (rest_.size() < sizeof number) {
      good_ = false;
      return number;
    }
    std::memcpy(&number, rest_.data(), sizeof number);
    rest_.remove_prefix(sizeof number);
    return number;
  }
  // A text with its length in front.
  std::string_view text() {
    const auto size = take<std::uint16_t>();
    if (rest_.size() < size) good_ = false;
    const std::string_view text = rest_.substr(0, good_ ? size : 0);
    rest_.remove_prefix(text.size());
    return text;
  }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool whole() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace

// ---- keys

std::string prefix(Table table, SlotId slot) {
  return {static_cast<char>(table), tenant, static_cast<char>(slot.value)};
}

std::string key(Table table, SlotId slot, std::string_view text) {
  std::string key;
  key.reserve(prefix_size + text.size());
  return key.append(prefix(table, slot)).append(text);
}

std::string key(Table table, SlotId slot, std::uint64_t number) {
  std::string key = prefix(table, slot);
  put_big(key, number);
  return key;
}

std::string key(Table table, SlotId slot, std::uint64_t number, std::uint64_t second) {
  std::string key;
  key.reserve(prefix_size + 2 * sizeof number);
  key = prefix(table, slot);
  put_big(key, number);
  put_big(key, second);
  return key;
}

std::string key(Table table, SlotId slot, std::uint64_t number, std::string_view text) {
  std::string key;
  key.reserve(prefix_size + sizeof number + text.size());
  key = prefix(table, slot);
  put_big(key, number);
  return key.append(text);
}

std::string behind(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xFF') prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

std::string_view rest(std::string_view key) {
  return key.size() < prefix_size ? std::string_view() : key.substr(prefix_size);
}

std::uint64_t take_number(std::string_view& text) {
  std::uint64_t number = 0;
  if (text.size() < sizeof number) return 0;
  for (std::size_t i = 0; i < sizeof number; ++i) {
    number = number << 8 | static_cast<unsigned char>(text[i]);
  }
  text.remove_prefix(sizeof number);
  return number;
}

// ---- values

std::string Will::write() const {
  std::string out{format};
  put(out, generation);
  put(out, delay_seconds);
  put(out, static_cast<std::uint8_t>(expiry_seconds ? 1 : 0));
  put(out, expiry_seconds.value_or(0));
  put(out, due.ms);
  return out += message;
}

bool Will::read(std::string_view value) {
  Reader in(value);
  generation = in.take<std::uint64_t>();
  delay_seconds = in.take<std::uint32_t>();
  const bool expires = in.take<std::uint8_t>() != 0;
  const auto expiry = in.take<std::uint32_t>();
  expiry_seconds = expires ? std::optional(expiry) : std::nullopt;
  due.ms = in.take<std::int64_t>();
  message = in.rest();
  return in.good() && !message.empty();
}

std::string Presence::write() const {
  std::string out{format};
  put(out, version);
  out.append(session.begin(), session.end());
  return out += principal;
}

bool Presence::read(std::string_view value) {
  Reader in(value);
  version = in.take<std::uint64_t>();
  session = in.take<SessionIdentifier>();
  principal = in.rest();
  return in.good();
}

std::string Session::write() const {
  std::string out{format};
  put(out, number);
  put(out, expiry_seconds);
  put(out, gone.ms);
  put(out, sent_to);
  return out;
}

bool Session::read(std::string_view value) {
  Reader in(value);
  number = in.take<std::uint64_t>();
  expiry_seconds = in.take<std::uint32_t>();
  gone.ms = in.take<std::int64_t>();
  sent_to = in.take<std::uint64_t>();
  return in.whole() && number != 0;
}

std::string Subscription::write() const {
  std::string out{format};
  put(out,
      static_cast<std::uint8_t>(options.qos | options.no_local << 2U |
                                options.retain_as_published << 3U | options.retain_handling << 4U));
  put(out, options.identifier);
  return out;
}

bool Subscription::read(std::string_view value) {
  Reader in(value);
  const unsigned bits = in.take<std::uint8_t>();
  options.qos = bits & 3U;
  options.no_local = bits >> 2U & 1U;
  options.retain_as_published = bits >> 3U & 1U;
  options.retain_handling = bits >> 4U & 3U;
  options.identifier = in.take<std::uint32_t>();
  return in.whole();
}

namespace {
constexpr std::uint8_t retain_flag = 4, released_flag = 8, body_flag = 16;
}  // namespace

std::string Entry::write() const {
  std::string out;
  out.reserve(12 + 4 * identifiers.size() + message.size());
  out.push_back(format);
  put(out, static_cast<std::uint8_t>(qos | (retain ? retain_flag : 0) |
                                     (released ? released_flag : 0) | (body != 0 ? body_flag : 0)));
  put(out, static_cast<std::uint16_t>(identifiers.size()));
  for (const std::uint32_t identifier : identifiers) put(out, identifier);
  if (body != 0) put(out, body);
  return out.append(message);
}

bool Entry::read(std::string_view value) {
  Reader in(value);
  const auto flags = in.take<std::uint8_t>();
  qos = flags & 3U;
  retain = (flags & retain_flag) != 0;
  released = (flags & released_flag) != 0;
  identifiers.resize(in.take<std::uint16_t>());
  for (std::uint32_t& identifier : identifiers) identifier = in.take<std::uint32_t>();
  body = (flags & body_flag) != 0 ? in.take<std::uint64_t>() : 0;
  message = in.rest();
  return in.good() && qos < 3 && (released || (body != 0) == message.empty());
}

std::string Hand::write() const {
  std::string out;
  out.reserve(18 + filter.size() + client_id.size() + message.size());
  out.push_back(format);
  put(out, static_cast<std::uint8_t>(retain ? 1 : 0));
  put(out, number);
  put(out, identifier);
  put_text(out, filter);
  put_text(out, client_id);
  return out.append(message);
}

bool Hand::read(std::string_view value) {
  Reader in(value);
  retain = in.take<std::uint8_t>() != 0;
  number = in.take<std::uint64_t>();
  identifier = in.take<std::uint32_t>();
  filter = in.text();
  client_id = in.text();
  message = in.rest();
  return in.good() && number != 0 && !message.empty();
}

std::string Retained::write() const {
  std::string out;
  out.reserve(1 + sizeof run + message.size());
  out.push_back(format);
  put(out, run);
  return out.append(message);
}

bool Retained::read(std::string_view value) {
  Reader in(value);
  run = in.take<std::uint64_t>();
  message = in.rest();
  return in.good() && !message.empty();
}

std::string write_number(std::uint64_t number) {
  std::string out{format};
  put(out, number);
  return out;
}

bool read_number(std::string_view value, std::uint64_t& number) {
  Reader in(value);
  number = in.take<std::uint64_t>();
  return in.whole();
}

}  // namespace gnomon::broker::records
