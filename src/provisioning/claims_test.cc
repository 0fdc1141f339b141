// Runs testdata/claims.test, each case in JSON and in CBOR; and what does not fit in there.
//
//   case a device gets a key
//   template NAME on             one of fleet provisioning that is enabled; off; jitp; hook: with
//   one hook allow                   what the hook says: deny, fail; none: there is nobody to ask
//   request R                    $R is a certificate signing request
//   > TOPIC {…}                  a PUBLISH; FORMAT in the topic is the format of the case
//   < accepted {…}               what is answered, at TOPIC/accepted; rejected; nothing
//   certificate ID ACTIVE        its status; none: it is not there
//   provisioned THING ID         all that the template makes is there
//   later 300000                 milliseconds pass
//
// In documents "?" is any text, and "?name" one that gets this name: "$name" is it from then on.
#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "base/limits.h"
#include "json/cbor.h"
#include "policy/cases.h"
#include "provisioning/claim_topics.h"
#include "provisioning/provisioning_fixture.h"
#include "provisioning/tables.h"
#include "provisioning/templates.h"
#include "registry/change.h"

namespace gnomon::provisioning {
namespace {

namespace bj = boost::json;

class TestHook final : public Hook {
 public:
  Result<HookAnswer> ask(const HookRequest& request) override {
    asked = request;
    if (says == "fail") return Error{Code::unavailable, "it took too long"};
    return HookAnswer{says == "allow", {{"Name", "renamed"}}};
  }
  std::string says;
  HookRequest asked;
};

struct World : Fixture {
  void make_template(const std::string& name, const std::string& how) {
    std::optional<ProvisioningHook> with;
    if (how == "hook") with = {"2020-04-01", "arn:aws:lambda:us-east-1:123456789012:function:f"};
    const auto type = how == "jitp" ? TemplateType::jitp : TemplateType::fleet_provisioning;
    const auto made = create_template(
        provisioning, {name, "", template_body(), role, how != "off", with, type, {}});
    REQUIRE_MESSAGE(made.ok(), made.error().message);
  }
  ClaimAnswer ask(const std::string& topic, ByteView payload) {
    const auto read = read_claim_topic(topic);
    REQUIRE(read);
    return answer_claim(provisioning, *read, payload, {claim_id, "device"});
  }
  bj::object ask_json(const std::string& topic, const bj::value& payload) {
    const auto answer = ask(topic, as_bytes(json::write(payload)));
    return json::parse(answer.payload)->as_object();
  }
  // Of a certificate that a device has asked for: its id and token.
  std::pair<std::string, std::string> own_certificate() {
    const auto answer =
        ask_json("$aws/certificates/create-from-csr/json", {{"certificateSigningRequest", csr}});
    return {std::string(answer.at("certificateId").as_string()),
            std::string(answer.at("certificateOwnershipToken").as_string())};
  }
  [[nodiscard]] std::string status(const std::string& id) const {
    const auto found = describe_certificate(registry, id);
    return found ? std::string(to_string(found->status)) : "none";
  }

  TestHook hook;
  std::string claim_id = std::string(64, 'c');
  std::string csr = *crypto::write_request("lamp", crypto::PrivateKey::generate_ec_p256());
};

// CaseWorld: one case, in one format.
class CaseWorld {
 public:
  explicit CaseWorld(std::string format) : format_(std::move(format)) {}

  void run(const policy::Row& row) {
    std::istringstream in(expand(row.rest));
    std::string first, second;
    in >> first >> second;
    if (row.word == "template") return world_.make_template(first, second);
    if (row.word == "hook") {
      world_.hook.says = first;
      world_.provisioning.hook = first == "none" ? nullptr : &world_.hook;
    } else if (row.word == "request") {
      texts_[first] = world_.csr;
    } else if (row.word == ">") {
      publish(row.rest);
    } else if (row.word == "<") {
      check(row.rest);
    } else if (row.word == "certificate") {
      CHECK(world_.status(first) == second);
    } else if (row.word == "provisioned") {
      CHECK(world_.missing(first, second).empty());
    } else {
      REQUIRE(row.word == "later");
      world_.clock.advance(std::chrono::milliseconds(std::stoll(first)));
    }
  }

 private:
  void publish(const std::string& rest) {
    const std::size_t blank = std::min(rest.find(' '), rest.size());
    topic_ = rest.substr(0, blank);
    if (const auto at = topic_.find("FORMAT"); at != std::string::npos)
      topic_.replace(at, 6, format_);
    std::string payload;
    if (blank < rest.size()) {
      const auto read = json::parse(expand(rest.substr(blank + 1)));
      REQUIRE_MESSAGE(read, read.error().message);
      payload = format_ == "cbor" ? json::to_cbor(*read) : json::write(*read);
    }
    answer_.reset();
    if (!read_claim_topic(topic_)) return;
    const auto before = world_.content();
    answer_ = world_.ask(topic_, as_bytes(payload));
    CHECK((world_.content() == before) == (answer_->sequence == 0));
  }

  void check(const std::string& rest) {
    REQUIRE(answer_.has_value() == (rest != "nothing"));
    if (!answer_) return;
    const std::size_t blank = rest.find(' ');
    CHECK(answer_->topic == topic_ + '/' + rest.substr(0, blank));
    const auto told = format_ == "cbor" ? json::from_cbor(as_bytes(answer_->payload))
                                        : json::parse(answer_->payload);
    REQUIRE_MESSAGE(told, told.error().message);
    INFO(json::write(*told));
    CHECK(fits(*json::parse(expand(rest.substr(blank + 1))), *told));
  }

  bool fits(const bj::value& wanted, const bj::value& told) {
    if (wanted.is_string() && wanted.get_string().starts_with('?')) {
      const std::string name = std::string(wanted.get_string()).substr(1);
      if (!told.is_string() || told.get_string().empty()) return false;
      if (!name.empty()) texts_[name] = told.get_string();
      return true;
    }
    if (!wanted.is_object() || !told.is_object()) return wanted == told;
    const auto& object = told.get_object();
    return wanted.get_object().size() == object.size() &&
           std::ranges::all_of(wanted.get_object(), [&](const auto& member) {
             const bj::value* one = object.if_contains(member.key());
             return one != nullptr && fits(member.value(), *one);
           });
  }

  // Texts for `$name`, as they stand within a string of JSON.
  [[nodiscard]] std::string expand(std::string line) const {
    for (const auto& [name, text] : texts_) {
      const std::string quoted = json::write(bj::string(text));
      for (std::size_t at = 0; (at = line.find('$' + name, at)) != std::string::npos;) {
        line.replace(at, name.size() + 1, quoted, 1, quoted.size() - 2);
        at += quoted.size() - 2;
      }
    }
    return line;
  }

  World world_;
  const std::string format_;
  std::map<std::string, std::string> texts_;
  std::string topic_;
  std::optional<ClaimAnswer> answer_;
};

TEST_CASE("fleet provisioning, as testdata has it") {
  const auto rows = policy::read_rows("testdata/claims.test");
  REQUIRE(!rows.empty());
  for (const char* format : {"json", "cbor"}) {
    std::optional<CaseWorld> world;
    for (const auto& row : rows) {
      CAPTURE(format);
      CAPTURE(row.line);
      if (row.word == "case") {
        world.emplace(format);
      } else {
        world->run(row);
      }
    }
  }
}

constexpr const char* provision_topic = "$aws/provisioning-templates/lamps/provision/json";

bj::value with_token(const std::string& token) {
  return {{"certificateOwnershipToken", token}, {"parameters", {{"Name", "lamp"}}}};
}

TEST_CASE("payloads that cannot be read") {
  World world;
  for (const std::string& payload : {std::string("{"), std::string("\xFF"), std::string("{}{}"),
                                     std::string(limits::claim_payload_bytes_max + 1, ' ')}) {
    for (const char* topic : {"$aws/certificates/create/json", "$aws/certificates/create/cbor"}) {
      const auto answer = world.ask(topic, as_bytes(payload));
      CHECK(answer.topic == std::string(topic) + "/rejected");
      CHECK(answer.payload.find("InvalidPayload") != std::string::npos);
      CHECK(answer.sequence == 0);
    }
  }
}

TEST_CASE("a hook is told who asks, and for what") {
  World world;
  world.hook.says = "allow";
  world.provisioning.hook = &world.hook;
  world.make_template("lamps", "hook");
  const auto [id, token] = world.own_certificate();
  CHECK(world.ask_json(provision_topic, with_token(token)).at("thingName") == "renamed");
  const HookRequest& asked = world.hook.asked;
  CHECK(asked.claim_certificate_id == world.claim_id);
  CHECK(asked.certificate_id == id);
  CHECK(asked.certificate_pem.starts_with("-----BEGIN CERTIFICATE-----"));
  CHECK(asked.template_arn == arn(world.registry, "provisioningtemplate/lamps"));
  CHECK(asked.client_id == "device");
  CHECK(asked.payload_version == "2020-04-01");
  CHECK(asked.parameters == Parameters{{"Name", "lamp"}});
}

TEST_CASE("a claim's certificate is not given to a device, nor one that was activated meanwhile") {
  World world;
  world.make_template("lamps", "on");
  const auto claim = create_provisioning_claim(world.provisioning, "lamps");
  REQUIRE(claim);
  CHECK(world.status(claim->value.certificate_id) == "ACTIVE");

  const auto [id, token] = world.own_certificate();
  REQUIRE(update_certificate(world.registry, id, registry::CertificateStatus::active).ok());
  CHECK(world.ask_json(provision_topic, with_token(token)).at("errorCode") ==
        "InvalidCertificateOwnershipToken");
  // Nor is it deleted when the token ends: somebody uses it.
  world.clock.advance(limits::ownership_lifetime + std::chrono::milliseconds(1));
  world.own_certificate();
  CHECK(world.status(id) == "ACTIVE");
  CHECK(world.status(claim->value.certificate_id) == "none");
}

TEST_CASE("a token of another server is worth nothing here") {
  World world, other;
  other.sealer = crypto::Sealer(crypto::MasterKey{1});
  world.make_template("lamps", "on");
  const auto [id, token] = other.own_certificate();
  CHECK(world.ask_json(provision_topic, with_token(token)).at("errorCode") ==
        "InvalidCertificateOwnershipToken");
}

TEST_CASE("certificates that nobody is provisioned with are bounded, and go in time") {
  World world;
  const auto [first, token] = world.own_certificate();
  const auto set_count = [&](std::uint64_t count) {
    const auto done = change(world.registry, [&](registry::Change& change) {
      registry::save(change.records, key(Table::waiting_count), stored::WaitingCount{count});
      return registry::Reply<registry::Nothing>(registry::Nothing{});
    });
    REQUIRE(done);
  };
  set_count(limits::waiting_certificates_max);
  const auto refused = world.ask_json("$aws/certificates/create-from-csr/json",
                                      {{"certificateSigningRequest", world.csr}});
  CHECK(refused.at("statusCode") == 429);
  CHECK(refused.at("errorCode") == "LimitExceeded");
  // As soon as one is due there is room again.
  world.clock.advance(limits::ownership_lifetime + std::chrono::milliseconds(1));
  world.own_certificate();
  CHECK(world.status(first) == "none");
}

TEST_CASE("whichever call the store refuses, a device is not half provisioned") {
  World world;
  world.make_template("lamps", "on");
  const auto [id, token] = world.own_certificate();
  const auto before = world.content();
  for (int call = 0; call < 1'000; ++call) {
    world.store.fail_after(call);
    const auto answer = world.ask_json(provision_topic, with_token(token));
    // What is read once the batch is written says whose permissions to look at: all, if it fails.
    if (world.store.relent() || !answer.contains("errorCode")) break;
    CHECK(answer.at("statusCode") == 503);
    CHECK(world.content() == before);
  }
  CHECK(world.missing("lamp", id).empty());
}

}  // namespace
}  // namespace gnomon::provisioning
