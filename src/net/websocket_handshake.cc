#include "net/websocket_handshake.h"

#include <algorithm>
#include <array>

#include <openssl/evp.h>

namespace gnomon::net {
namespace {

constexpr std::string_view protocols[] = {"mqtt", "mqttv3.1"};
constexpr std::size_t answer_bytes_max = 16 * KiB;

std::string base64(ByteView bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // and a zero that OpenSSL puts behind
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

// §4.1: 16 bytes in base64.
bool is_key(std::string_view key) {
  if (key.size() != 24 || !key.ends_with("==")) return false;
  return std::ranges::all_of(key.substr(0, 22), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
  });
}

// The first that the client offers and that we speak, as the client wrote it; or "".
std::string_view choose_protocol(const Request& request) {
  for (const Header& header : request.headers) {
    if (!same_name(header.name, "sec-websocket-protocol")) continue;
    std::string_view rest = header.value, offered;
    while (next_member(rest, offered)) {
      if (std::ranges::find(protocols, offered) != std::end(protocols)) return offered;
    }
  }
  return {};
}

Response with(Response response, Header header) {
  response.headers.push_back(std::move(header));
  return response;
}

}  // namespace

std::string accept_for(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  return base64(ByteView(digest).first(size));
}

// ---- server

Response answer_websocket(const Request& request, const KnownHosts& hosts) {
  if (auto refusal = refuse_host(request, hosts)) return *refusal;
  if (request.path() != "/mqtt") return plain_answer(404, "MQTT over WebSocket is at /mqtt");
  if (request.method != "GET")
    return with(plain_answer(405, "WebSocket begins with GET"), {"Allow", "GET"});
  if (auto refusal = refuse_origin(request, hosts)) return *refusal;
  if (!request.may_upgrade || !request.lists("connection", "upgrade") ||
      !request.lists("upgrade", "websocket"))
    return with(with(plain_answer(426, "this is for MQTT over WebSocket: ask for an upgrade"),
                     {"Upgrade", "websocket"}),
                {"Connection", "Upgrade"});
  if (request.count("sec-websocket-version") != 1 ||
      request.header("sec-websocket-version") != "13")
    return with(plain_answer(426, "the version of WebSocket must be 13"),
                {"Sec-WebSocket-Version", "13"});
  const std::string_view key = request.header("sec-websocket-key");
  if (request.count("sec-websocket-key") != 1 || !is_key(key))
    return plain_answer(400, "Sec-WebSocket-Key must be 16 bytes in base64");
  const std::string_view protocol = choose_protocol(request);
  if (protocol.empty())
    return plain_answer(400, "Sec-WebSocket-Protocol must offer mqtt or mqttv3.1");
  return {101,
          {{"Upgrade", "websocket"},
           {"Connection", "Upgrade"},
           {"Sec-WebSocket-Accept", accept_for(key)},
           {"Sec-WebSocket-Protocol", std::string(protocol)}},
          {}};
}

// ---- client

std::string make_websocket_key(Random& random) {
  std::array<std::uint8_t, 16> bytes{};
  random.fill(bytes);
  return base64(bytes);
}

void append_request(Buffer& out, const WebSocketCall& call, std::string_view key) {
  std::string head = "GET " + call.target + " HTTP/1.1\r\nHost: " + call.host;
  head += "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13";
  head.append("\r\nSec-WebSocket-Key: ").append(key);
  head += "\r\nSec-WebSocket-Protocol: " + call.protocol;
  for (const Header& header : call.headers) head += "\r\n" + header.name + ": " + header.value;
  out.append(head + "\r\n\r\n");
}

namespace {

// A head of lines, read leniently where leniency does no harm.
Result<Request> read_fields(std::string_view lines) {
  Request fields;
  while (!lines.empty()) {
    const std::size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    lines = end == std::string_view::npos ? std::string_view() : lines.substr(end + 2);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0)
      return Error{Code::invalid, "the server's answer has a line that is no header"};
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t'))
      value.remove_prefix(1);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    fields.headers.push_back({std::string(line.substr(0, colon)), std::string(value)});
  }
  return fields;
}

}  // namespace

Result<std::size_t> read_answer(ByteView in, const WebSocketCall& call, std::string_view key) {
  const std::string_view text = as_text(in);
  constexpr std::string_view start = "HTTP/1.1 ";
  if (!start.starts_with(text.substr(0, start.size())))
    return Error{Code::invalid, "the server does not speak HTTP/1.1"};
  const std::size_t end = text.find("\r\n\r\n");
  if (end > answer_bytes_max) {  // also if there is no end yet
    if (text.size() <= answer_bytes_max) return std::size_t{0};
    return Error{Code::invalid, "the server's answer is too long"};
  }
  const std::size_t line_end = text.find("\r\n");
  const std::string_view status = text.substr(start.size(), line_end - start.size());
  if (!status.starts_with("101")) {
    std::string message = "the server refused WebSocket: " + std::string(status);
    std::string_view why = text.substr(end + 4);
    why = why.substr(0, why.find('\n'));
    if (!why.empty()) message.append(": ").append(why);
    return Error{Code::denied, message};
  }
  const std::string_view lines =
      line_end == end ? std::string_view() : text.substr(line_end + 2, end - line_end - 2);
  const auto fields = read_fields(lines);
  if (!fields) return fields.error();
  if (!fields->lists("upgrade", "websocket") || !fields->lists("connection", "upgrade") ||
      fields->header("sec-websocket-accept") != accept_for(key))
    return Error{Code::invalid, "the server's answer is not one to this WebSocket request"};
  if (fields->header("sec-websocket-protocol") != call.protocol)
    return Error{Code::invalid, "the server did not agree to the sub-protocol " + call.protocol};
  if (fields->count("sec-websocket-extensions") != 0)
    return Error{Code::invalid, "the server uses an extension that nobody has asked for"};
  return end + 4;
}

}  // namespace gnomon::net
