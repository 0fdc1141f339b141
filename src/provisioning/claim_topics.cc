#include "provisioning/claim_topics.h"

#include <utility>

#include <boost/json.hpp>

#include "base/limits.h"
#include "json/cbor.h"

namespace gnomon::provisioning {

namespace bj = boost::json;
using Document = Result<bj::object, Rejection>;

namespace {

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

Rejection bad_payload(std::string why) { return {400, "InvalidPayload", std::move(why)}; }
Rejection bad_member(std::string_view name) {
  return {400, "InvalidParameters", std::string(name) + " must be a text."};
}

// The members of a request; none, if there is no payload.
Document read(const ClaimTopic& topic, ByteView payload) {
  if (payload.empty()) return bj::object();
  const json::Limits limits{.bytes_max = limits::claim_payload_bytes_max};
  auto value =
      topic.cbor ? json::from_cbor(payload, limits) : json::parse(as_text(payload), limits);
  if (!value) return bad_payload(value.error().message);
  if (auto* object = value->if_object()) return std::move(*object);
  return bad_payload("The payload must be an object.");
}

std::string write(const ClaimTopic& topic, const bj::value& value) {
  return topic.cbor ? json::to_cbor(value) : json::write(value);
}

// "" if there is none.
Result<std::string, Rejection> text(const bj::object& from, std::string_view name) {
  const bj::value* value = from.if_contains(name);
  if (value == nullptr || value->is_null()) return std::string();
  const auto* found = value->if_string();
  if (found == nullptr) return bad_member(name);
  return std::string(*found);
}

Result<Parameters, Rejection> parameters(const bj::object& from) {
  Parameters all;
  const bj::value* value = from.if_contains("parameters");
  if (value == nullptr || value->is_null()) return all;
  const auto* object = value->if_object();
  if (object == nullptr) return bad_payload("parameters must be an object.");
  for (const auto& [name, given] : *object) {
    const auto* found = given.if_string();
    if (found == nullptr) return bad_member("parameters." + std::string(name));
    all.emplace(name, *found);
  }
  return all;
}

bj::object shown(const OwnCertificate& made) {
  bj::object out{{"certificateId", made.certificate_id}, {"certificatePem", made.certificate_pem}};
  if (!made.private_key.empty()) out["privateKey"] = made.private_key;
  out["certificateOwnershipToken"] = made.ownership_token;
  return out;
}

bj::object shown(const ProvisionedDevice& made) {
  bj::object out{{"deviceConfiguration", bj::value_from(made.device_configuration)}};
  if (!made.thing_name.empty()) out["thingName"] = made.thing_name;
  return out;
}

Given<bj::object> told(auto given) {
  if (!given) return std::move(given.error());
  return registry::Done<bj::object>{shown(given->value), given->sequence,
                                    std::move(given->effects)};
}

Given<bj::object> answer(Provisioning& provisioning, const ClaimTopic& topic,
                         const bj::object& request, const Claimant& claimant) {
  if (topic.asks == ClaimTopic::Asks::create_keys) return told(create_own_keys(provisioning));
  if (topic.asks == ClaimTopic::Asks::create_from_csr) {
    const auto pem = text(request, "certificateSigningRequest");
    if (!pem) return pem.error();
    return told(create_own_certificate(provisioning, *pem));
  }
  auto token = text(request, "certificateOwnershipToken");
  if (!token) return token.error();
  auto given = parameters(request);
  if (!given) return given.error();
  return told(provision(provisioning, {topic.template_name, std::move(*token), std::move(*given)},
                        claimant));
}

}  // namespace

std::optional<ClaimTopic> read_claim_topic(std::string_view topic) {
  using Asks = ClaimTopic::Asks;
  ClaimTopic read;
  read.topic = topic;
  std::string_view rest = topic;
  if (take_prefix(rest, "$aws/certificates/create/")) {
    read.asks = Asks::create_keys;
  } else if (take_prefix(rest, "$aws/certificates/create-from-csr/")) {
    read.asks = Asks::create_from_csr;
  } else if (take_prefix(rest, "$aws/provisioning-templates/")) {
    read.asks = Asks::provision;
    read.template_name = rest.substr(0, rest.find('/'));
    rest.remove_prefix(read.template_name.size());
    if (read.template_name.empty() || !take_prefix(rest, "/provision/")) return std::nullopt;
  } else {
    return std::nullopt;
  }
  read.cbor = rest == "cbor";
  if (!read.cbor && rest != "json") return std::nullopt;
  return read;
}

ClaimAnswer answer_claim(Provisioning& provisioning, const ClaimTopic& topic, ByteView payload,
                         const Claimant& claimant) {
  const auto request = read(topic, payload);
  if (!request) return reject_claim(topic, request.error());
  auto given = answer(provisioning, topic, *request, claimant);
  if (!given) return reject_claim(topic, given.error());
  return {topic.topic + "/accepted", write(topic, std::move(given->value)), given->sequence,
          std::move(given->effects)};
}

ClaimAnswer reject_claim(const ClaimTopic& topic, const Rejection& why) {
  return {topic.topic + "/rejected", write(topic, {{"statusCode", why.status_code},
                                                   {"errorCode", why.error_code},
                                                   {"errorMessage", why.error_message}})};
}

}  // namespace gnomon::provisioning
