// Runs testdata/iam_*.test: a call a line, and what it answers, as iot_test.cc has them.
//
//   as $key                  who calls from now on: the access key; "as root"
//   later 300000             milliseconds pass
//   can iot:Publish arn:…    whether the caller may: "can" must be answered "yes", "no", or
//   "denied" by a policy
//
// `~` is "arn:aws:iam::123456789012:", `$name` what has that name, `%name` the
// same percent-encoded; $policy, $trust, $long (2,048 characters and more), $longer and $fifty
// (tags) are there. What is compared is the document that the handler gives; that it can be
// rendered is checked too.
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
#include <vector>

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "api/cases.h"
#include "api/operation.h"
#include "api/render.h"
#include "api/to_wire.h"
#include "api/uri.h"
#include "iam/iam_fixture.h"
#include "operations/handler.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;

void write_form(std::string& form, const std::string& name, const api::Shape& shape,
                const bj::value& value) {
  if (value.is_object()) {
    for (const auto& [key, one] : value.get_object()) {
      const auto at = std::ranges::find(shape.members, std::string_view(key), &api::Member::name);
      REQUIRE_MESSAGE(at != shape.members.end(), "there is no member " << key);
      write_form(form, (name.empty() ? "" : name + '.') + std::string(at->wire), *at->shape, one);
    }
  } else if (value.is_array()) {
    int index = 0;
    for (const bj::value& one : value.get_array())
      write_form(form, name + ".member." + std::to_string(++index), *shape.element, one);
  } else {
    const std::string text =
        value.is_string() ? std::string(value.get_string()) : api::to_text(shape, value);
    form += '&' + api::percent_encode(name) + '=' + api::percent_encode(text);
  }
}

// A policy beyond so many characters, of actions without effect.
std::string long_policy(std::size_t size) {
  return R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Resource":"*","Action":["iot:)" +
         std::string(size, '*') + R"("]}})";
}
// Tags one to fifty, in JSON.
std::string fifty_tags() {
  std::string tags;
  for (int i = 1; i <= 50; ++i)
    tags += (i == 1 ? "" : ",") + (R"({"Key":"tag-)" + std::to_string(i)) + R"(","Value":"v"})";
  return tags;
}

using Seen = std::set<std::string>;

// CaseWorld: the account of one case, as far as handlers see it, and the names that the case uses.
class CaseWorld {
 public:
  explicit CaseWorld(Seen& seen) : seen_(seen) {
    texts_["policy"] = R"({"Version":"2012-10-17","Statement":)"
                       R"({"Effect":"Allow","Action":"iot:Connect","Resource":"*"}})";
    texts_["trust"] = R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":)"
                      R"({"AWS":"123456789012"},"Action":"sts:AssumeRole"}})";
    texts_["long"] = long_policy(2048);
    texts_["large"] = long_policy(4096);
    texts_["longer"] = long_policy(10240);
    be("AKIAROOTROOTROOTROOT", "");
  }

  std::string run(const std::string& word, const std::string& rest) {
    if (word == "later") {
      fixture_.clock.advance(std::chrono::milliseconds(std::stoll(rest)));
      return "";
    }
    if (word == "as") {
      std::istringstream in(expand(rest));
      std::string id, token;
      in >> id >> token;
      return be(id == "root" ? "AKIAROOTROOTROOTROOT" : id, token);
    }
    if (word == "can") return can(expand(rest));
    return call(word, rest);
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
  std::string be(const std::string& id, const std::string& token) {
    const auto signatory = fixture_.iam.signatory(id, token, fixture_.clock.now());
    if (!signatory) {
      constexpr std::array<const char*, 5> reasons{"unknown_key", "bad_token", "expired",
                                                   "inactive", "unavailable"};
      return "! " + std::string(reasons.at(static_cast<std::size_t>(signatory.error().reason)));
    }
    CHECK(signatory->caller->access_key_id == id);
    caller_ = signatory->caller;
    return "= " + json::write({{"Secret", signatory->secret}, {"Arn", caller_->arn}});
  }

  std::string can(const std::string& rest) {
    const std::size_t blank = rest.find(' ');
    const auto verdict =
        iam::authorise(*caller_, {.action = std::string_view(rest).substr(0, blank),
                                  .resource = std::string_view(rest).substr(blank + 1),
                                  .now = fixture_.clock.now()});
    if (verdict == policy::Verdict::explicit_deny) return "denied";
    return verdict == policy::Verdict::allowed ? "yes" : "no";
  }

  static const api::Operation& operation_of(const std::string& name) {
    for (const char* service : {"iam", "sts"}) {
      const auto* operation = api::operation_named(*api::service_named(service), name);
      if (operation != nullptr) return *operation;
    }
    FAIL("there is no operation ", name);
    throw std::logic_error(name);
  }

  std::string call(const std::string& name, const std::string& rest) {
    const api::Operation& operation = operation_of(name);
    const auto input = json::parse(rest.empty() ? "{}" : expand(rest));
    REQUIRE_MESSAGE(input, rest << ": " << input.error().message);
    net::Request request{.method = "POST",
                         .target = "/",
                         .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
                         .body = {}};
    request.body = "Action=" + name + "&Version=" + std::string(operation.service->version);
    if (operation.input != nullptr) write_form(request.body, "", *operation.input, *input);

    api::Call found;
    bj::value bound = bj::object();
    auto error = api::find(*operation.service, request, found);
    if (!error) error = api::bind(found, request, bound);
    if (error) return fail(operation, *error);
    REQUIRE(found.operation == &operation);
    if (seen_.insert(name).second) rehearse(operation, bound);
    return handle(operation, bound);
  }

  std::string handle(const api::Operation& operation, const bj::value& input) {
    const auto before = fixture_.content();
    bj::value output = bj::object();
    const Outcome outcome = outcome_of(operation, input, output);
    const auto after = fixture_.content();
    if (!outcome) {
      CHECK_MESSAGE(before == after, "what is refused has no effect");
      return fail(operation, outcome.error());
    }
    if (before != after) CHECK(outcome->sequence == fixture_.store.applied());
    const net::Response response = api::render(operation, output, "R-1");
    CHECK(response.status == 200);
    if (output.as_object().empty()) return ".";
    bj::object shown;
    for (const auto& [key, value] : output.as_object())
      if (!value.is_null()) shown[key] = value;
    return "= " + json::write(shown);
  }

  // The first time that an operation is called each of its calls of the store fails once.
  void rehearse(const api::Operation& operation, const bj::value& input) {
    const auto before = fixture_.content();
    for (int count = 0;; ++count) {
      bj::value output = bj::object();
      fixture_.store.fail_after(count);
      const Outcome outcome = outcome_of(operation, input, output);
      if (fixture_.store.relent()) break;  // it has not come so far
      REQUIRE_MESSAGE(!outcome, operation.name << " did not see that the store failed");
      CHECK(outcome.error().name == "ServiceUnavailable");
      CHECK(outcome.error().status == 503);
      CHECK(before == fixture_.content());
    }
    restore(before);
  }

  void restore(const std::map<std::string, std::string>& content) {
    std::vector<store::Operation> operations{store::EraseRange{"", "\xFF"}};
    for (const auto& [key, value] : content) operations.emplace_back(store::Put{key, value});
    store::apply_puts(*fixture_.memory, operations);
  }

  Outcome outcome_of(const api::Operation& operation, const bj::value& input, bj::value& output) {
    const Handler handler = handler_of(operation);
    const bool built = handler != nullptr;
    REQUIRE_MESSAGE(built, operation.name << " has no handler");
    Context context{world_, operation, *caller_, fixture_.clock.now()};
    return handler(context, input, output);
  }

  std::string fail(const api::Operation& operation, const api::ApiError& error) {
    seen_.insert(std::string(operation.name) + ' ' + error.name);
    CHECK(api::render(*operation.service, error, "R-1").status == error.status);
    return "! " + std::to_string(error.status) + ' ' + error.name + ' ' + error.message;
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

  // Texts for `~`, `$name` and, percent-encoded, `%name`, as they stand within a string of JSON.
  [[nodiscard]] std::string expand(const std::string& line) const {
    std::string out;
    for (std::size_t i = 0; i < line.size(); ++i) {
      std::size_t end = i + 1;
      while (end < line.size() && std::isalnum(static_cast<unsigned char>(line[end])) != 0) ++end;
      const auto text = texts_.find(line.substr(i + 1, end - i - 1));
      if (line.compare(i, 6, "$fifty") == 0) {
        out += fifty_tags();
        i += 5;
      } else if (line[i] == '~') {
        out += "arn:aws:iam::123456789012:";
      } else if (line[i] == '%' && text != texts_.end()) {
        out += api::percent_encode(text->second);
        i = end - 1;
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
  iam::Fixture fixture_;
  std::map<std::string, std::string> texts_;
  std::shared_ptr<const iam::Caller> caller_;
  // No handler of iam looks at these.
  alignas(std::max_align_t) std::byte nobody_[1]{};
  World world_{reinterpret_cast<registry::Registry&>(nobody_), fixture_.iam,
               reinterpret_cast<provisioning::Provisioning&>(nobody_),
               reinterpret_cast<identity::Devices&>(nobody_), "gnomon.example"};
};

// Runs a case file.
void run_cases(const std::string& path, Seen& seen) {
  const auto cases = api::read_case_file(path);
  REQUIRE(!cases.empty());
  for (const api::Case& one : cases) {
    CaseWorld world(seen);
    for (std::size_t i = 0; i < one.lines.size();) {
      const api::CaseLine& line = one.lines[i++];
      CAPTURE(path);
      CAPTURE(one.name);
      INFO(line.word, " ", line.rest);
      const std::string answer = world.run(line.word, line.rest);
      constexpr std::array<std::string_view, 6> marks{"=", ".", "!", "yes", "no", "denied"};
      if (i < one.lines.size() && std::ranges::find(marks, one.lines[i].word) != marks.end()) {
        const api::CaseLine& next = one.lines[i++];
        const std::string expected = next.word + (next.rest.empty() ? "" : ' ' + next.rest);
        CHECK_MESSAGE(world.fits(expected, answer), "expected: ", expected, "\nanswered: ", answer);
      } else {
        CHECK_MESSAGE(!answer.starts_with('!'), answer);
      }
    }
  }
}

// What no handler answers: a store that fails is ServiceUnavailable, and two who change the same
// at once take turns.
constexpr std::array<std::string_view, 3> of_nobody = {
    "ServiceFailureException", "ConcurrentModificationException", "RegionDisabledException"};

// Modelled errors that cannot come about, and why.
const std::map<std::string, std::string> unreachable = {
    {"CreateUser LimitExceededException", "of 5,000 users entities_test.cc has it"},
    {"UpdateUser LimitExceededException", "nothing grows by it"},
    {"UpdateUser EntityTemporarilyUnmodifiableException", "nothing of a user is ever busy"},
    {"DeleteUser LimitExceededException", "nothing grows by it"},
    {"UpdateAccessKey LimitExceededException", "the same"},
    {"DeleteAccessKey LimitExceededException", "the same"},
    {"UpdateRole UnmodifiableEntityException", "no role is a service's own"},
    {"UpdateRoleDescription UnmodifiableEntityException", "the same"},
    {"UpdateAssumeRolePolicy UnmodifiableEntityException", "the same"},
    {"DeleteRole UnmodifiableEntityException", "the same"},
    {"PutRolePolicy UnmodifiableEntityException", "the same"},
    {"DeleteRolePolicy UnmodifiableEntityException", "the same"},
    {"DeleteRole LimitExceededException", "nothing grows by it"},
    {"DeleteUserPolicy LimitExceededException", "the same"},
    {"DeleteRolePolicy LimitExceededException", "the same"},
    {"ListServiceSpecificCredentials ServiceNotSupportedException", "no service is named"},
    {"DeleteLoginProfile EntityTemporarilyUnmodifiableException", "there is none to be busy"},
    {"AssumeRole ExpiredTokenException", "the front door knows expired tokens"},
    {"DeletePolicy LimitExceededException", "nothing grows by it"},
    {"DeletePolicyVersion LimitExceededException", "the same"},
    {"SetDefaultPolicyVersion LimitExceededException", "the same"},
    {"DetachUserPolicy LimitExceededException", "the same"},
    {"DetachRolePolicy LimitExceededException", "the same"},
    {"AttachRolePolicy UnmodifiableEntityException", "no role is a service's own"},
    {"DetachRolePolicy UnmodifiableEntityException", "the same"},
    {"PutRolePermissionsBoundary UnmodifiableEntityException", "the same"},
    {"DeleteRolePermissionsBoundary UnmodifiableEntityException", "the same"},
    {"AttachUserPolicy PolicyNotAttachableException", "all that are there can be attached"},
    {"AttachRolePolicy PolicyNotAttachableException", "the same"},
    {"PutUserPermissionsBoundary PolicyNotAttachableException", "the same"},
    {"PutRolePermissionsBoundary PolicyNotAttachableException", "the same"},
    {"ListAttachedUserPolicies InvalidInputException", "nothing that the model takes is wrong"},
    {"ListAttachedRolePolicies InvalidInputException", "the same"},
    {"DeleteLoginProfile LimitExceededException", "nothing grows by it"},
};

TEST_CASE("the services iam and sts, as testdata has them, and each modelled error once") {
  Seen seen;
  for (const char* name : {"iam_users", "iam_roles", "iam_policies", "sts"})
    run_cases("testdata/" + std::string(name) + ".test", seen);
  for (const char* service : {"iam", "sts"}) {
    for (const api::Operation& operation : api::service_named(service)->operations) {
      if (operation.row == nullptr || handler_of(operation) == nullptr) continue;
      CAPTURE(operation.name);
      CHECK(seen.contains(std::string(operation.name)));
      for (const api::ErrorShape* error : operation.errors) {
        if (std::ranges::find(of_nobody, error->name) != of_nobody.end()) continue;
        const std::string pair = std::string(operation.name) + ' ' + std::string(error->name);
        CAPTURE(pair);
        CHECK(seen.contains(pair) != unreachable.contains(pair));
      }
    }
  }
}

}  // namespace
}  // namespace gnomon::operations
