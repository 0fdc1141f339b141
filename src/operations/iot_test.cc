// Runs testdata/iot_*.test: a call a line, and what it answers. Every modelled error of every
// operation that is built is among them.
//
//   case a thing is created once
//   CreateThing {"thingName": "lamp"}
//   = {"thingName": "lamp", "thingArn": "~thing/lamp", "thingId": "?id"}     the document
//   .                                                            or: there is none
//   ! 409 ResourceAlreadyExistsException Thing lamp …            or: status, error, message
//   + resourceId lamp                                                   and its further members
//   @ $aws/events/thing/lamp/created     an event that goes out
//   & everyone                           whose permissions may be others: ids, or everyone
//   later 300000                         milliseconds pass
//   repeat 10 CreateThing {"thingName": "lamp-#"}           # is 1 to 10; all must succeed
//
// A call that is followed by none of these must succeed. Events and permissions are compared if one
// of them is stated. `~` is an ARN up to its account, `$name` what has that name; in documents "?"
// is any text and "?name" one that gets this name. A message that ends in "…" is how it begins.
//   make-ca one [CN [two]]    a CA outside of the registry, with the key of another one if it is
//                             named: $one is its PEM, $one.id its id
//   make-certificate c one [CN]                 a certificate that it has signed
//   make-request r CN         a certificate signing request
//   index                     what UpdateIndexingConfiguration has begun is brought to its end
//   connected lamp 5000 [REASON]    since then, or not any more
// $nobody is the id of no certificate, $policy a document; $role a role, $template the body of a
// provisioning template: a thing named by its parameter Name, its certificate.
#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "api/cases.h"
#include "api/operation.h"
#include "api/render.h"
#include "api/to_wire.h"
#include "api/uri.h"
#include "crypto/request.h"
#include "fleet/indexing.h"
#include "iam/iam.h"
#include "identity/devices.h"
#include "index/connectivity.h"
#include "operations/handler.h"
#include "provisioning/provisioning_fixture.h"
#include "registry/indexing.h"
#include "registry/registry_fixture.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;

// The request that a client makes of an input.
net::Request request_of(const api::Operation& operation, const bj::object& input) {
  net::Request request{
      .method = std::string(operation.method), .target = "", .headers = {}, .body = {}};
  const auto text_of = [](const api::Member& member, const bj::value& value) {
    return member.shape->type == api::Type::string ? std::string(value.as_string())
                                                   : api::to_text(*member.shape, value);
  };
  for (const api::Segment& segment : operation.route) {
    request.target += '/';
    if (segment.kind == api::Segment::Kind::literal) request.target += segment.text;
    for (const api::Member& member : operation.input->members) {
      if (segment.kind == api::Segment::Kind::literal) break;
      if (member.location != api::Location::path || member.wire != segment.text) continue;
      request.target += api::percent_encode(text_of(member, input.at(member.name)));
    }
  }
  char separator = '?';
  bj::object body;
  for (const auto& [name, value] : input) {
    const auto member =
        std::ranges::find(operation.input->members, std::string_view(name), &api::Member::name);
    REQUIRE_MESSAGE(member != operation.input->members.end(), "there is no member " << name);
    if (member->location == api::Location::query) {
      request.target += std::exchange(separator, '&') + std::string(member->wire) + '=' +
                        api::percent_encode(text_of(*member, value));
    } else if (member->location == api::Location::header) {
      request.headers.push_back({std::string(member->wire), text_of(*member, value)});
    } else if (member->location == api::Location::body) {
      body[member->wire] = value;
    }
  }
  if (!body.empty()) request.body = json::write(body);
  return request;
}

// Which operations have answered what: "CreateThing", "CreateThing InvalidRequestException".
using Seen = std::set<std::string>;

// CaseWorld: the server of one case, as far as handlers see it, and the names that the case uses.
class CaseWorld {
 public:
  explicit CaseWorld(Seen& seen) : seen_(seen) {
    texts_["nobody"] = std::string(64, '0');
    texts_["policy"] = R"({"Version":"2012-10-17","Statement":)"
                       R"({"Effect":"Allow","Action":"iot:Connect","Resource":"*"}})";
    texts_["role"] = "arn:aws:iam::123456789012:role/provision";
    texts_["template"] =
        R"({"Parameters":{"Name":{"Type":"String","Default":"lamp"},)"
        R"("AWS::IoT::Certificate::Id":{"Type":"String"}},"Resources":{)"
        R"("thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Ref":"Name"},)"
        R"("ThingTypeName":"bulb"},"OverrideSettings":{"ThingTypeName":"FAIL"}},)"
        R"("key":{"Type":"AWS::IoT::Certificate","Properties":{)"
        R"("CertificateId":{"Ref":"AWS::IoT::Certificate::Id"}}}}})";
  }

  static iam::Caller root() {
    iam::Caller caller;
    caller.kind = iam::Caller::Kind::root;
    return caller;
  }

  // Of a line: "CreateThing" and its input, or a command.
  std::vector<std::string> run(const std::string& word, const std::string& rest) {
    answer_.clear();
    if (word == "later") {
      registry_.clock.advance(std::chrono::milliseconds(std::stoll(rest)));
    } else if (word.starts_with("make-")) {
      make(word, rest);
    } else if (word == "repeat") {
      repeat(rest);
    } else if (word == "index") {
      build_index();
    } else if (word == "connected") {
      connect(rest);
    } else {
      call(word, rest);
    }
    return answer_;
  }

  // Whether a line says what was answered. `expected` may give names to what it finds.
  bool fits(const std::string& expected, const std::string& answered) {
    if (expected.starts_with("= ") && answered.starts_with("= ")) {
      const auto wanted = json::parse(expand(expected.substr(2)));
      REQUIRE_MESSAGE(wanted, expected << ": " << wanted.error().message);
      return fits(*wanted, *json::parse(answered.substr(2)));
    }
    constexpr std::string_view more = "…";
    const std::string text = expand(expected);
    if (!text.ends_with(more)) return text == answered;
    return answered.starts_with(text.substr(0, text.size() - more.size()));
  }

 private:
  void call(const std::string& name, const std::string& rest) {
    const api::Service& iot = *api::service_named("iot");
    const api::Operation* operation = api::operation_named(iot, name);
    REQUIRE_MESSAGE(operation != nullptr, "there is no operation " << name);
    const auto input = json::parse(rest.empty() ? "{}" : expand(rest));
    REQUIRE_MESSAGE(input, rest << ": " << input.error().message);
    const net::Request request = request_of(*operation, input->as_object());

    api::Call found;
    bj::value bound = bj::object();
    auto error = api::find(iot, request, found);
    if (!error) error = api::bind(found, request, bound);
    if (error) return fail(*operation, *error);
    REQUIRE(found.operation == operation);
    if (seen_.insert(name).second) rehearse(*operation, bound);
    handle(*operation, bound);
  }

  void handle(const api::Operation& operation, const bj::value& input) {
    const auto before = registry_.content();
    bj::value output = bj::object();
    Outcome outcome = outcome_of(operation, input, output);
    const auto after = registry_.content();
    if (!outcome) {
      CHECK_MESSAGE(before == after, "what is refused has no effect");
      return fail(operation, outcome.error());
    }
    if (before != after) CHECK(outcome->sequence == registry_.store.applied());
    const net::Response response = api::render(operation, output, "R-1");
    CHECK(response.status == operation.status);
    answer_.push_back(response.body.empty() ? "." : "= " + response.body);
    for (const auto& event : outcome->effects.events) answer_.push_back("@ " + event.topic);
    for (const auto& id : outcome->effects.principals) answer_.push_back("& " + id);
    if (outcome->effects.everyone) answer_.push_back("& everyone");
  }

  // The first time that an operation is called it meets a store that fails.
  void rehearse(const api::Operation& operation, const bj::value& input) {
    const auto before = registry_.content();
    bj::value output = bj::object();
    registry_.store.fail_after(0);
    const Outcome outcome = outcome_of(operation, input, output);
    if (registry_.store.relent()) return;  // it did not ask the store
    REQUIRE_MESSAGE(!outcome, operation.name << " did not see that the store failed");
    CHECK(outcome.error().name == "ServiceUnavailableException");
    CHECK(outcome.error().status == 503);
    CHECK(before == registry_.content());
    seen_.insert(std::string(operation.name) + " ServiceUnavailableException");
  }

  Outcome outcome_of(const api::Operation& operation, const bj::value& input, bj::value& output) {
    const Handler handler = handler_of(operation);
    const bool built = handler != nullptr;
    REQUIRE_MESSAGE(built, operation.name << " has no handler");
    Context context{world_, operation, caller_, registry_.clock.now()};
    return handler(context, input, output);
  }

  void fail(const api::Operation& operation, const api::ApiError& error) {
    seen_.insert(std::string(operation.name) + ' ' + error.name);
    const net::Response response = api::render(*operation.service, error, "R-1");
    const auto body = json::parse(response.body)->as_object();
    answer_.push_back("! " + std::to_string(response.status) + ' ' + error.name + ' ' +
                      std::string(body.at("message").as_string()));
    for (const auto& [name, value] : body) {
      if (name == "message") continue;
      answer_.push_back("+ " + std::string(name) + ' ' + std::string(value.as_string()));
    }
  }

  void repeat(const std::string& rest) {
    std::istringstream in(rest);
    int times = 0;
    std::string name, input;
    in >> times >> name;
    std::getline(in, input);
    for (int i = 1; i <= times; ++i) {
      std::string one = input.substr(1);
      for (std::size_t at = 0; (at = one.find('#', at)) != std::string::npos;)
        one.replace(at, 1, std::to_string(i));
      answer_.clear();
      call(name, one);
      REQUIRE_MESSAGE(!answer_[0].starts_with('!'), answer_[0]);
    }
    answer_.clear();
  }

  void build_index() {
    std::string last;
    do {
      const auto indexed = fleet::index_things(registry_.registry, last);
      REQUIRE(indexed);
      last = *indexed;
    } while (!last.empty());
    const auto what = index::load_configuration(registry_.store);
    REQUIRE(what);
    REQUIRE(registry::settle_index(registry_.registry, *what));
  }

  void connect(const std::string& rest) {
    std::istringstream in(rest);
    std::string thing, reason;
    std::int64_t at = 0;
    in >> thing >> at >> reason;
    store::Batch batch;
    index::write_connectivity(thing, {reason.empty(), WallTime{at}, reason}, batch.operations);
    REQUIRE(registry_.store.apply(batch));
  }

  void make(const std::string& what, const std::string& rest) {
    std::istringstream in(rest);
    std::string name, second, third;
    in >> name >> second >> third;
    if (what == "make-request") {
      texts_[name] = *crypto::write_request(second, crypto::PrivateKey::generate_ec_p256());
      return;
    }
    if (what == "make-ca") {
      const auto key =
          third.empty() ? crypto::PrivateKey::generate_ec_p256() : authorities_.at(third).key;
      authorities_.insert_or_assign(
          name,
          registry::Fixture::authority(second.empty() ? name : second, registry_.random, key));
      return keep(name, authorities_.at(name).certificate);
    }
    REQUIRE(what == "make-certificate");
    const auto made = crypto::issue({crypto::Profile::device,
                                     third.empty() ? name : expand(third),
                                     {},
                                     WallTime{1'577'836'800'000},
                                     crypto::far_end},
                                    crypto::PrivateKey::generate_ec_p256().public_key(),
                                    authorities_.at(second), registry_.random);
    REQUIRE(made);
    keep(name, *made);
  }

  void keep(const std::string& name, const crypto::Certificate& certificate) {
    texts_[name] = certificate.to_pem();
    texts_[name + ".id"] = certificate.id();
  }

  bool fits(const bj::value& wanted, const bj::value& answered) {
    if (wanted.is_string() && wanted.get_string().starts_with('?')) {
      const std::string name = std::string(wanted.get_string()).substr(1);
      if (!answered.is_string() || answered.get_string().empty()) return false;
      if (!name.empty()) texts_[name] = answered.get_string();
      return true;
    }
    if (wanted.is_object() && answered.is_object()) {
      const auto& object = answered.get_object();
      return wanted.get_object().size() == object.size() &&
             std::ranges::all_of(wanted.get_object(), [&](const auto& member) {
               const bj::value* one = object.if_contains(member.key());
               return one != nullptr && fits(member.value(), *one);
             });
    }
    if (wanted.is_array() && answered.is_array()) {
      return std::ranges::equal(wanted.get_array(), answered.get_array(),
                                [&](const bj::value& a, const bj::value& b) { return fits(a, b); });
    }
    return wanted == answered;
  }

  // Texts for `~` and `$name`, as they stand within a string of JSON.
  [[nodiscard]] std::string expand(const std::string& line) const {
    std::string out;
    for (std::size_t i = 0; i < line.size(); ++i) {
      std::size_t end = i + 1;
      while (end < line.size() &&
             (std::isalnum(static_cast<unsigned char>(line[end])) != 0 || line[end] == '.'))
        ++end;
      const auto text = texts_.find(line.substr(i + 1, end - i - 1));
      if (line[i] == '~') {
        out += "arn:aws:iot:us-east-1:123456789012:";
      } else if (line[i] == '$' && text != texts_.end()) {
        const std::string quoted = json::write(bj::string(text->second));
        out.append(quoted, 1, quoted.size() - 2);
        i = end - 1;
      } else {
        out += line[i];
      }
    }
    return out;
  }

  Seen& seen_;
  registry::Fixture registry_;
  std::map<std::string, std::string> texts_;
  std::map<std::string, crypto::Authority> authorities_;
  crypto::Sealer sealer_{crypto::MasterKey{}};
  provisioning::GivenRoles roles_;
  provisioning::Provisioning provisioning_{registry_.registry, sealer_, roles_};
  iam::Iam iam_{registry_.store, registry_.clock, registry_.random, sealer_, "123456789012", {}};
  ManualClock monotonic_;
  identity::Devices devices_{{registry_.registry, monotonic_, registry_.clock, {}, {}}};
  World world_{registry_.registry, iam_, provisioning_, devices_, "gnomon.example"};
  iam::Caller caller_ = root();
  std::vector<std::string> answer_;
};

// Runs a case file.
void run_cases(const std::string& path, Seen& seen) {
  const auto cases = api::read_case_file(path);
  REQUIRE(!cases.empty());
  constexpr std::string_view marks = "=.!+@&";
  for (const api::Case& one : cases) {
    CaseWorld world(seen);
    for (std::size_t i = 0; i < one.lines.size();) {
      const api::CaseLine& line = one.lines[i++];
      CAPTURE(path);
      CAPTURE(one.name);
      INFO(line.word, " ", line.rest);
      std::vector<std::string> answer = world.run(line.word, line.rest);
      std::vector<std::string> expected;
      for (; i < one.lines.size() && one.lines[i].word.size() == 1 &&
             marks.find(one.lines[i].word[0]) != std::string_view::npos;
           ++i) {
        expected.push_back(one.lines[i].word +
                           (one.lines[i].rest.empty() ? "" : ' ' + one.lines[i].rest));
      }
      const auto is_effect = [](const std::string& text) {
        return text[0] == '@' || text[0] == '&';
      };
      if (std::ranges::none_of(expected, is_effect)) std::erase_if(answer, is_effect);
      const bool failed = !answer.empty() && answer[0].starts_with('!');
      if (expected.empty() && !failed) continue;
      std::string shown;
      for (const std::string& said : answer) shown += "  " + said + '\n';
      const bool fit = std::ranges::equal(
          expected, answer,
          [&](const std::string& a, const std::string& b) { return world.fits(a, b); });
      CHECK_MESSAGE(fit, "answered:\n", shown);
    }
  }
}

// What the front door answers, or nobody: no handler can.
constexpr std::array<std::string_view, 3> of_the_front_door = {
    "ThrottlingException", "UnauthorizedException", "InternalFailureException"};

// Modelled errors that cannot come about, and why.
const std::map<std::string, std::string> unreachable = {
    {"DeleteThing ResourceNotFoundException", "a thing that is not there is deleted already"},
    {"ListBillingGroups ResourceNotFoundException", "nothing is named that must be there"},
    {"CreateKeysAndCertificate InvalidRequestException", "any input will do"},
    {"GetRegistrationCode InvalidRequestException", "there is no input"},
    {"RegisterCertificateWithoutCA CertificateStateException", "there is no CA to be inactive"},
    {"UpdateCertificate CertificateStateException", "none is on its way to another account"},
    {"TransferCertificate CertificateStateException", "all transfers are invalid requests"},
    {"TransferCertificate TransferConflictException", "the same"},
    {"AcceptCertificateTransfer TransferAlreadyCompletedException", "the same"},
    {"RejectCertificateTransfer TransferAlreadyCompletedException", "the same"},
    {"CancelCertificateTransfer TransferAlreadyCompletedException", "the same"},
    {"ListOutgoingCertificates ServiceUnavailableException", "it does not ask the store"},
    {"UpdateProvisioningTemplate ConflictingResourceUpdateException",
     "of two at once the second is made after the first"},
    {"DeleteProvisioningTemplate ConflictingResourceUpdateException", "the same"},
    {"CreateProvisioningTemplateVersion ConflictingResourceUpdateException", "the same"},
    {"DeleteProvisioningTemplateVersion ConflictingResourceUpdateException", "the same"},
    {"DeleteRoleAlias DeleteConflictException", "nothing refers to one but devices that ask"},
    {"GetIndexingConfiguration InvalidRequestException", "there is no input"},
    {"DetachPolicy LimitExceededException", "nothing grows by it"},
    {"ListAttachedPolicies LimitExceededException", "the same"},
    {"ListTargetsForPolicy LimitExceededException", "the same"},
    {"GetEffectivePolicies LimitExceededException", "the same"},
    {"TestAuthorization LimitExceededException", "the same"},
};

TEST_CASE("the service iot, as testdata has it, and each modelled error once") {
  Seen seen;
  for (const char* name :
       {"things", "thing_types", "thing_groups", "billing_groups", "principals", "certificates",
        "authorities", "policies", "attachments", "authorization", "provisioning", "role_aliases",
        "tags", "account", "malformed", "indexing", "indices", "dynamic_groups"}) {
    run_cases("testdata/iot_" + std::string(name) + ".test", seen);
  }
  for (const api::Operation& operation : api::service_named("iot")->operations) {
    if (operation.row == nullptr || handler_of(operation) == nullptr) continue;
    CAPTURE(operation.name);
    CHECK(seen.contains(std::string(operation.name)));
    for (const api::ErrorShape* error : operation.errors) {
      if (std::ranges::find(of_the_front_door, error->name) != of_the_front_door.end()) continue;
      const std::string pair = std::string(operation.name) + ' ' + std::string(error->name);
      CAPTURE(pair);
      CHECK(seen.contains(pair) != unreachable.contains(pair));
    }
  }
}

}  // namespace
}  // namespace gnomon::operations
