#include "cli/client_properties.h"

#include <algorithm>
#include <charconv>

#include "mqtt/packet.h"

namespace gnomon::cli {

namespace {

using mqtt::PropertyId;

constexpr std::array<std::string_view, packets> packet_names{
    "connect", "will", "publish", "subscribe", "unsubscribe", "disconnect"};

constexpr unsigned bit(Packet packet) { return 1U << static_cast<unsigned>(packet); }
constexpr unsigned messages = bit(Packet::will) | bit(Packet::publish);

enum class Form : std::uint8_t { number, text, pair };
struct Known {
  std::string_view name;
  PropertyId id;
  unsigned packets;
  Form form;
  std::uint32_t least = 0, most = UINT32_MAX;
};
// What an application may set. Topic aliases are the client's own business: it uses as many as the
// broker allows.
constexpr std::array<Known, 16> known{{
    {"session-expiry-interval", PropertyId::session_expiry_interval,
     bit(Packet::connect) | bit(Packet::disconnect), Form::number},
    {"receive-maximum", PropertyId::receive_maximum, bit(Packet::connect), Form::number, 1, 65'535},
    {"maximum-packet-size", PropertyId::maximum_packet_size, bit(Packet::connect), Form::number, 1,
     268'435'455},
    {"topic-alias-maximum", PropertyId::topic_alias_maximum, bit(Packet::connect), Form::number, 0,
     65'535},
    {"request-response-information", PropertyId::request_response_information, bit(Packet::connect),
     Form::number, 0, 1},
    {"request-problem-information", PropertyId::request_problem_information, bit(Packet::connect),
     Form::number, 0, 1},
    {"authentication-method", PropertyId::authentication_method, bit(Packet::connect), Form::text},
    {"authentication-data", PropertyId::authentication_data, bit(Packet::connect), Form::text},
    {"payload-format-indicator", PropertyId::payload_format_indicator, messages, Form::number, 0,
     1},
    {"message-expiry-interval", PropertyId::message_expiry_interval, messages, Form::number},
    {"content-type", PropertyId::content_type, messages, Form::text},
    {"response-topic", PropertyId::response_topic, messages, Form::text},
    {"correlation-data", PropertyId::correlation_data, messages, Form::text},
    {"will-delay-interval", PropertyId::will_delay_interval, bit(Packet::will), Form::number},
    {"subscription-identifier", PropertyId::subscription_identifier, bit(Packet::subscribe),
     Form::number, 1, 268'435'455},
    {"user-property", PropertyId::user_property, (1U << packets) - 1, Form::pair},
}};

constexpr std::array travelling{PropertyId::payload_format_indicator, PropertyId::content_type,
                                PropertyId::response_topic, PropertyId::correlation_data,
                                PropertyId::user_property};

std::string names_for(std::size_t packet) {
  std::string names;
  for (const Known& each : known) {
    if ((each.packets >> packet & 1U) == 0) continue;
    (names += names.empty() ? "" : ", ") += each.name;
  }
  return names;
}

}  // namespace

std::size_t ClientProperties::take(std::span<const std::string> words, std::string& wrong) {
  const auto fail = [&wrong](std::string what) {
    wrong = std::move(what);
    return std::size_t{0};
  };
  const std::string_view first = words.empty() ? "" : std::string_view(words[0]);
  const auto packet =
      static_cast<std::size_t>(std::ranges::find(packet_names, first) - packet_names.begin());
  if (packet == packets) {
    return fail('"' + std::string(first) +
                "\": must be connect, will, publish, subscribe, unsubscribe or disconnect");
  }
  const std::string_view name = words.size() > 1 ? std::string_view(words[1]) : "";
  const auto found = std::ranges::find(known, name, &Known::name);
  if (found == known.end() || (found->packets >> packet & 1U) == 0) {
    return fail(words[0] + " \"" + std::string(name) + "\": must be one of " + names_for(packet));
  }
  const std::string place = words[0] + ' ' + std::string(name);
  const std::size_t count = found->form == Form::pair ? 4 : 3;
  if (words.size() < count) {
    return fail(place + (count == 4 ? ": takes a name and a value" : ": takes a value"));
  }
  if (count == 3 && find(static_cast<Packet>(packet), found->id) != nullptr) {
    return fail(place + ": is given twice");
  }
  Given one{found->id, 0, words[2], count == 4 ? words[3] : ""};
  if (found->form == Form::number) {
    wrong = read_value(place, words[2], one, found->least, found->most);
  } else if (one.text.size() > 65'535 || one.value.size() > 65'535) {
    wrong = place + ": must have at most 65535 bytes";
  }
  if (!wrong.empty()) return 0;
  given_[packet].push_back(std::move(one));
  return count;
}

std::string ClientProperties::read_value(const std::string& place, const std::string& text,
                                         Given& one, std::uint32_t least, std::uint32_t most) {
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, one.number);
  if (error == std::errc() && stopped == end && one.number >= least && one.number <= most) {
    return "";
  }
  return place + " \"" + text + "\": must be a whole number from " + std::to_string(least) +
         " to " + std::to_string(most);
}

bool ClientProperties::empty() const {
  return std::ranges::all_of(given_, [](const auto& each) { return each.empty(); });
}

std::string ClientProperties::unused(std::span<const Packet> sent) const {
  for (std::size_t i = 0; i < packets; ++i) {
    if (given_[i].empty() || std::ranges::find(sent, static_cast<Packet>(i)) != sent.end()) {
      continue;
    }
    return "--property: no packet " + std::string(packet_names[i]) + " is sent";
  }
  return "";
}

const ClientProperties::Given* ClientProperties::find(Packet packet, PropertyId id) const {
  const auto& all = given_[static_cast<std::size_t>(packet)];
  const auto found = std::ranges::find(all, id, &Given::id);
  return found == all.end() ? nullptr : &*found;
}

std::optional<std::uint32_t> ClientProperties::number(Packet packet, PropertyId id) const {
  const Given* found = find(packet, id);
  return found == nullptr ? std::nullopt : std::optional(found->number);
}

std::optional<std::string_view> ClientProperties::text(Packet packet, PropertyId id) const {
  const Given* found = find(packet, id);
  return found == nullptr ? std::nullopt : std::optional<std::string_view>(found->text);
}

Buffer ClientProperties::raw(Packet packet) const {
  Buffer out;
  for (const Given& each : given_[static_cast<std::size_t>(packet)]) {
    if (std::ranges::find(travelling, each.id) == travelling.end()) continue;
    if (each.id == PropertyId::user_property) {
      mqtt::append_user_property(out, each.text, each.value);
    } else if (each.id == PropertyId::payload_format_indicator) {
      mqtt::append_property(out, each.id, each.number);
    } else {
      mqtt::append_property(out, each.id, std::string_view(each.text));
    }
  }
  return out;
}

}  // namespace gnomon::cli
