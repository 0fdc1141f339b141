// Fleet provisioning by MQTT. Whatever the topic and the payload are: what is answered is at
// …/accepted or …/rejected and can be read in the format of the topic, and what is rejected has
// changed nothing. Keys are not made: they take too long.
//
// Input: the topic, then the payload, parted by a byte 0x00.
#include <boost/json.hpp>

#include "base/fuzzing.h"
#include "base/utf8.h"
#include "crypto/issue.h"
#include "json/cbor.h"
#include "provisioning/claim_topics.h"
#include "provisioning/templates.h"
#include "store/memory.h"

namespace {

using namespace gnomon;
using namespace gnomon::provisioning;
using fuzz::check;

class AnyRole final : public Roles {
  Result<Permit> take(const std::string&, const std::string&) override {
    return Permit([](std::string_view, std::string_view) { return true; });
  }
};

struct World {
  World() {
    check(create_template(
              provisioning,
              {"t",
               "",
               R"({"Parameters":{"Name":{"Type":"String"},"AWS::IoT::Certificate::Id":{"Type":)"
               R"("String"}},"Resources":{"thing":{"Type":"AWS::IoT::Thing","Properties":)"
               R"({"ThingName":{"Ref":"Name"}}},"key":{"Type":"AWS::IoT::Certificate",)"
               R"("Properties":{"CertificateId":{"Ref":"AWS::IoT::Certificate::Id"}}}}})",
               "arn:aws:iam::123456789012:role/r",
               true,
               {},
               TemplateType::fleet_provisioning,
               {}})
              .ok());
  }
  std::unique_ptr<store::Store> store = store::make_memory_store();
  ManualWallClock clock;
  SeededRandom random{1};
  crypto::PrivateKey key = crypto::PrivateKey::generate_ec_p256();
  crypto::Authority devices{
      *crypto::self_sign({crypto::Profile::device_ca, "devices", {}, clock.now(), crypto::far_end},
                         key, random),
      key};
  registry::Registry registry{*store, clock, random, devices, "123456789012", "us-east-1"};
  crypto::Sealer sealer{crypto::MasterKey{}};
  AnyRole roles;
  Provisioning provisioning{registry, sealer, roles};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  std::string_view payload = as_text({data, size});
  const std::string_view name = fuzz::take_part(payload, '\0');
  const auto topic = read_claim_topic(name);
  if (!topic || !is_mqtt_utf8(name)) return 0;
  check(topic->topic == name);
  if (topic->asks == ClaimTopic::Asks::create_keys) return 0;
  const store::Sequence before = world.store->applied();
  const auto answer = answer_claim(world.provisioning, *topic, as_bytes(payload), {"p", "c"});
  const auto told =
      topic->cbor ? json::from_cbor(as_bytes(answer.payload)) : json::parse(answer.payload);
  check(told && told->is_object());
  const bool accepted = answer.topic == topic->topic + "/accepted";
  check(accepted || answer.topic == topic->topic + "/rejected");
  check(accepted == (answer.sequence != 0));
  if (accepted) return 0;
  check(world.store->applied() == before);
  const auto& members = told->as_object();
  check(members.size() == 3 && members.at("statusCode").is_number());  // unsigned in CBOR
  check(!members.at("errorCode").as_string().empty());
  return 0;
}
