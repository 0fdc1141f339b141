// The MQTT topics of fleet provisioning (AWS IoT: "Device provisioning MQTT API"). Payload in,
// payload out: who takes a PUBLISH and publishes the answer is elsewhere.
//
//   $aws/certificates/create/FORMAT
//   $aws/certificates/create-from-csr/FORMAT
//   $aws/provisioning-templates/NAME/provision/FORMAT
//
// FORMAT is json or cbor. The answer goes to the topic with /accepted or /rejected behind it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "provisioning/fleet.h"

namespace gnomon::provisioning {

struct ClaimTopic {
  enum class Asks : std::uint8_t { create_keys, create_from_csr, provision };
  Asks asks{};
  bool cbor = false;
  std::string topic;
  std::string template_name;  // of provision
};
// Nothing: it is none of them (those of the answers are not, either).
[[nodiscard]] std::optional<ClaimTopic> read_claim_topic(std::string_view topic);

struct ClaimAnswer {
  std::string topic, payload;
  store::Sequence sequence = 0;  // durable first, then the answer and the effects leave; 0: nothing
  registry::Effects effects{};
};
// Does what is asked. May take as long as create_own_keys(): for a pool. A payload that cannot be
// read is rejected with InvalidPayload; members of it that are not known are passed over, since
// AWS's SDKs repeat there what the topic says.
[[nodiscard]] ClaimAnswer answer_claim(Provisioning& provisioning, const ClaimTopic& topic,
                                       ByteView payload, const Claimant& claimant);
// The answer that refuses without looking.
[[nodiscard]] ClaimAnswer reject_claim(const ClaimTopic& topic, const Rejection& why);

}  // namespace gnomon::provisioning
