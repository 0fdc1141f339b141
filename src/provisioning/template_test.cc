// Runs testdata/templates.test and testdata/values.test.
//
//   case a thing and its certificate
//   template {…}                 reads a template; or
//   value {"Ref": "A"}           one whose device configuration is this value
//   ! Resources.…                what parse() refuses it with
//   with {"A": "1"}              resolves it
//   = {…}                        the plan, without what is empty; of a value: it
//   ! …                          what resolve() refuses it with
//
// Values have the parameters A ("a,b,c"), B ("1"), D (default "d") and the mapping M.
#include "provisioning/template.h"

#include <array>

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "policy/cases.h"

namespace gnomon::provisioning {
namespace {

namespace bj = boost::json;

void add(bj::object& object, const char* name, const std::string& text) {
  if (!text.empty()) object[name] = text;
}
void add(bj::object& object, const char* name, Override setting) {
  constexpr std::array<const char*, 4> names{"", "REPLACE", "MERGE", "FAIL"};
  add(object, name, std::string(names.at(static_cast<std::size_t>(setting))));
}

bj::object shown(const ThingPlan& thing) {
  bj::object out;
  add(out, "id", thing.logical_id);
  add(out, "name", thing.thing_name);
  add(out, "type", thing.thing_type_name);
  add(out, "billing", thing.billing_group);
  if (thing.attributes) out["attributes"] = bj::value_from(*thing.attributes);
  if (thing.thing_groups) out["groups"] = bj::value_from(*thing.thing_groups);
  add(out, "onType", thing.on_type);
  add(out, "onAttributes", thing.on_attributes);
  add(out, "onGroups", thing.on_groups);
  return out;
}

bj::object shown(const CertificatePlan& certificate) {
  bj::object out;
  add(out, "id", certificate.logical_id);
  add(out, "certificateId", certificate.certificate_id);
  add(out, "pem", certificate.certificate_pem);
  add(out, "caPem", certificate.ca_certificate_pem);
  add(out, "request", certificate.request_pem);
  out["active"] = certificate.active;
  add(out, "onStatus", certificate.on_status);
  return out;
}

std::string shown(const Plan& plan) {
  bj::object out;
  if (plan.thing) out["thing"] = shown(*plan.thing);
  if (plan.certificate) out["certificate"] = shown(*plan.certificate);
  bj::array policies;
  for (const PolicyPlan& policy : plan.policies) {
    bj::object one;
    add(one, "id", policy.logical_id);
    add(one, "name", policy.policy_name);
    add(one, "document", policy.policy_document);
    policies.push_back(one);
  }
  if (!policies.empty()) out["policies"] = policies;
  if (!plan.device_configuration.empty())
    out["configuration"] = bj::value_from(plan.device_configuration);
  return json::write(out);
}

std::string template_with(const std::string& value) {
  return R"({"Parameters":{"A":{"Type":"String"},"B":{"Type":"String"},)"
         R"("D":{"Type":"String","Default":"d"}},)"
         R"("Mappings":{"M":{"one":{"text":"found","list":["x","y"]},"1":{"text":"first"}}},)"
         R"("Resources":{"thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":"lamp"}}},)"
         R"("DeviceConfiguration":{"v":)" +
         value + "}}";
}

// World: what a case has read so far.
class World {
 public:
  void run(const policy::Row& row) {
    if (row.word == "template" || row.word == "value") {
      is_value_ = row.word == "value";
      read(is_value_ ? template_with(row.rest) : row.rest);
    } else if (row.word == "with") {
      resolve(row.rest);
    } else {
      CHECK(row.word + ' ' + row.rest == answer_);
    }
  }

 private:
  void read(const std::string& body) {
    auto read = Template::parse(body);
    answer_ = read ? "" : "! " + read.error().message;
    template_.reset();
    if (!read) return;
    template_ = *read;
    if (is_value_) resolve(R"({"A":"a,b,c","B":"1","AWS::Region":"us-east-1"})");
  }
  void resolve(const std::string& parameters) {
    REQUIRE_MESSAGE(template_, answer_);
    Parameters given;
    const auto read = json::parse(parameters);
    REQUIRE_MESSAGE(read, read.error().message);
    for (const auto& [name, value] : read->as_object())
      given[std::string(name)] = std::string(value.as_string());
    const auto plan = template_->resolve(given);
    if (!plan) {
      answer_ = "! " + plan.error().message;
    } else {
      answer_ = "= " + (is_value_ ? plan->device_configuration.at("v") : shown(*plan));
    }
  }

  bool is_value_ = false;
  std::optional<Template> template_;
  std::string answer_;
};

TEST_CASE("templates and values, as testdata has them") {
  for (const char* name : {"templates", "values"}) {
    const std::string path = "testdata/" + std::string(name) + ".test";
    const auto rows = policy::read_rows(path);
    REQUIRE(!rows.empty());
    World world;
    for (const auto& row : rows) {
      if (row.word == "case") continue;
      CAPTURE(path);
      CAPTURE(row.line);
      world.run(row);
    }
  }
}

TEST_CASE("whether the certificate is the one that arrives") {
  const auto with = [](const std::string& properties) {
    const auto read =
        Template::parse(R"({"Parameters":{"AWS::IoT::Certificate::Id":{"Type":"String"},)"
                        R"("Other":{"Type":"String"}},)"
                        R"("Resources":{"c":{"Type":"AWS::IoT::Certificate","Properties":{)" +
                        properties + "}}}}");
    REQUIRE_MESSAGE(read, read.error().message);
    return read->takes_certificate_id();
  };
  CHECK(with(R"("CertificateId":{"Ref":"AWS::IoT::Certificate::Id"})"));
  CHECK_FALSE(with(R"("CertificateId":{"Ref":"Other"})"));
  CHECK_FALSE(with(R"("CertificateSigningRequest":{"Ref":"AWS::IoT::Certificate::Id"})"));
}

TEST_CASE("no template is larger, and none grows without bound") {
  const auto padded = template_with("\"" + std::string(10'240, 'x') + "\"");
  const auto read = Template::parse(padded);
  REQUIRE(!read);
  CHECK(read.error().code == Code::exhausted);

  // Each level uses the one below ten times.
  std::string value = R"("x")";
  for (int level = 0; level < 20; ++level) {
    std::string uses;
    for (int i = 0; i < 10; ++i) uses += "${V}";
    value = R"({"Fn::Sub":[")" + uses + R"(",{"V":)" + value + "}]}";
  }
  const auto grown = Template::parse(template_with(value));
  REQUIRE(!grown);
  CHECK(grown.error().message ==
        "DeviceConfiguration.v: Fn::Sub: its variables are used too often");

  const auto joined =
      Template::parse(template_with(R"({"Fn::Join":["",[{"Ref":"A"},{"Ref":"A"}]]})"));
  REQUIRE(joined);
  const auto plan = joined->resolve({{"A", std::string(40'000, 'x')}, {"B", ""}});
  REQUIRE(!plan);
  CHECK(plan.error().message ==
        "DeviceConfiguration.v: Fn::Join: a value is longer than 65536 bytes");
}

}  // namespace
}  // namespace gnomon::provisioning
