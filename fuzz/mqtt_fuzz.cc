// The MQTT connection machine against any bytes, in any pieces, in either role.
//
// Input: one byte of mode (bit 0: client; bits 1–2: version; bit 3: before CONNECT or CONNACK;
// bit 4: enhanced authentication named), one byte that seeds where the rest is split, the bytes.
//
// Checked: nothing is read or written out of bounds (each piece is a block of its own size); what
// is kept is bounded by what came; pieces give the events of the whole; the answer of a refusal is
// one packet that the other role reads; a PUBLISH encoded again decodes to the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "mqtt/connection.h"
#include "mqtt/encode.h"
#include "mqtt/test_support.h"

namespace {

using namespace gnomon;
using namespace gnomon::mqtt;

void check(bool good) {
  if (!good) std::abort();
}

Settings make_settings() {
  Settings settings;
  settings.packet_bytes_max = 4096;  // small, so that the fuzzer meets them
  settings.connect_bytes_max = 1024;
  settings.properties_bytes_max = 512;
  settings.user_properties_max = 4;
  settings.subscriptions_max = 8;
  settings.receive_maximum = 5;
  settings.topic_alias_max = 3;
  return settings;
}
const Settings settings = make_settings();

struct Mode {
  Role role;
  Version version;
  bool is_new;
  bool authenticates;
};

Mode read_mode(std::uint8_t byte) {
  constexpr Version versions[] = {Version::v31, Version::v311, Version::v5, Version::v5};
  return {(byte & 1) != 0 ? Role::client : Role::server, versions[(byte >> 1) & 3], (byte & 8) != 0,
          (byte & 16) != 0};
}

Connection start(const Mode& mode) {
  Connect connect;
  connect.version = mode.version;
  if (mode.authenticates && mode.version == Version::v5) connect.authentication_method = "M";
  if (!mode.is_new) return mqtt::testing::established(mode.role, mode.version, settings, connect);
  Connection connection(mode.role, settings);
  Buffer ignored;
  if (mode.role == Role::client) connection.connect(connect, ignored);
  return connection;
}

// A PUBLISH written again in full decodes to the same topic, payload and properties.
void check_again(const Connection& connection, const Publish& publish) {
  Publish full = publish;
  full.alias = 0;
  Buffer wire;
  const std::size_t id_at = append_publish(connection.version(), full, wire);
  check(wire.size() == publish_size(connection.version(), full));
  check((id_at != 0) == (full.qos > 0));
  Settings roomy;
  roomy.topic_alias_max = 0;
  Connection reader = mqtt::testing::established(connection.role(), connection.version(), roomy);
  Incoming incoming;
  Buffer out;
  ByteView in = wire.view();
  check(reader.next(in, incoming, out) == Event::publish && in.empty());
  check(mqtt::testing::show(incoming.publish) == mqtt::testing::show(full));
  if (id_at != 0) {
    patch_packet_id(wire.data() + id_at, 0x1234);
    in = wire.view();
    check(reader.next(in, incoming, out) == Event::publish && incoming.publish.packet_id == 0x1234);
  }
}

// What a refused peer is told is one packet that it can read.
void check_answer(const Connection& connection, bool established, ByteView out) {
  if (out.empty()) return;
  const Role other = connection.role() == Role::server ? Role::client : Role::server;
  Connection peer(other, settings);
  Buffer ignored;
  if (established) {
    peer = mqtt::testing::established(other, connection.version(), settings);
  } else {
    Connect connect;
    connect.version = connection.version();
    peer.connect(connect, ignored);
  }
  Incoming incoming;
  const Event event = peer.next(out, incoming, ignored);
  check(event == (established ? Event::disconnect : Event::connack));
  check(out.empty());
}

struct Outcome {
  std::vector<std::string> events;
  std::string out;
  bool operator==(const Outcome&) const = default;
};

Outcome run(const Mode& mode, ByteView bytes, std::uint8_t seed, bool whole) {
  Connection connection = start(mode);
  Incoming incoming;
  Outcome outcome;
  Buffer out;
  std::uint32_t random = seed;
  std::size_t came = 0;
  while (!bytes.empty()) {
    random = random * 1'664'525 + 1'013'904'223;
    const std::size_t size =
        whole ? bytes.size() : std::min<std::size_t>(bytes.size(), random >> 28);
    const mqtt::testing::Exact piece(bytes.first(size));
    bytes = bytes.subspan(size);
    came += size;
    ByteView in = piece.view();
    for (;;) {
      const bool established = connection.established();
      const std::size_t before = out.size();
      const Event event = connection.next(in, incoming, out);
      check(connection.kept() <= came && connection.kept() <= settings.packet_bytes_max);
      if (event == Event::none) break;
      outcome.events.push_back(mqtt::testing::show(event, incoming));
      if (event == Event::publish) check_again(connection, incoming.publish);
      if (event == Event::connect) connection.accept({}, out);
      if (event == Event::refused)
        check_answer(connection, established, out.view().subspan(before));
      if (mqtt::testing::is_final(event)) {
        check(!connection.established());
        outcome.out = as_text(out.view());
        return outcome;
      }
    }
    check(in.empty());
  }
  outcome.out = as_text(out.view());
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Mode mode = read_mode(data[0]);
  const ByteView bytes{data + 2, size - 2};
  check(run(mode, bytes, data[1], true) == run(mode, bytes, data[1], false));
  return 0;
}
