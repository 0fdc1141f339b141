// Reading of policy documents.
#include <algorithm>
#include <optional>

#include <boost/json.hpp>

#include "base/json_text.h"
#include "base/limits.h"
#include "json/json.h"
#include "policy/ascii.h"
#include "policy/document.h"

namespace gnomon::policy {
namespace {

namespace bj = boost::json;

constexpr std::string_view syntax_errors = "Syntax errors in policy.";
constexpr std::string_view legacy_parsing = "The policy failed legacy parsing";

std::string_view view(const bj::string& text) { return {text.data(), text.size()}; }
std::string_view view(bj::string_view text) { return {text.data(), text.size()}; }
std::string quoted(std::string_view text) { return json_text(text); }

class Parser {
 public:
  Parser(Dialect dialect, Kind kind) {
    document_.dialect = dialect;
    document_.kind = kind;
    document_.version = "2008-10-17";
  }

  Result<Document> parse(const json::Value& value) {
    if (!read_document(value)) return Error{Code::invalid, error_};
    return std::move(document_);
  }

  // The message for a fault: `sentence` is IAM's, `what` says where and what. Always false.
  bool refuse(std::string_view sentence, const std::string& what) {
    std::string place;
    if (statement_ > 0) place = "Statement " + std::to_string(statement_) + ": ";
    if (document_.dialect == Dialect::iot) {
      error_ = "Policy document is Malformed: " + place + what;
    } else {
      error_ = std::string(sentence) + " (" + place + what + ')';
    }
    return false;
  }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  [[nodiscard]] bool iam() const { return document_.dialect == Dialect::iam; }
  [[nodiscard]] bool has_principals() const { return document_.kind != Kind::identity; }

  bool read_document(const json::Value& value) {
    if (!value.is_object()) return refuse(syntax_errors, "it must be a JSON object");
    const json::Value* statements = nullptr;
    for (const auto& [key, member] : value.get_object()) {
      const std::string_view name = view(key);
      if (name == "Version") {
        if (!read_version(member)) return false;
      } else if (name == "Id") {
        if (!read_text(member, "Id", document_.id)) return false;
      } else if (name == "Statement") {
        statements = &member;
      } else {
        return refuse(syntax_errors, "unknown element " + quoted(name));
      }
    }
    // After all others: what a statement means depends on the version, wherever it stands.
    if (statements == nullptr) return refuse(syntax_errors, "there is no Statement");
    return read_statements(*statements);
  }

  bool read_version(const json::Value& value) {
    if (!read_text(value, "Version", document_.version)) return false;
    if (document_.version == "2012-10-17" || document_.version == "2008-10-17") return true;
    return refuse(syntax_errors,
                  "Version " + quoted(document_.version) + " must be 2012-10-17 or 2008-10-17");
  }

  bool read_statements(const json::Value& value) {
    if (value.is_object()) return read_next_statement(value);
    if (!value.is_array()) {
      return refuse(syntax_errors, "Statement must be an object or an array of them");
    }
    if (value.get_array().empty()) return refuse(syntax_errors, "Statement is empty");
    for (const json::Value& element : value.get_array()) {
      if (!read_next_statement(element)) return false;
    }
    return true;
  }

  bool read_next_statement(const json::Value& value) {
    ++statement_;
    if (!value.is_object()) return refuse(syntax_errors, "it must be an object");
    Statement statement;
    Seen seen;
    for (const auto& [key, member] : value.get_object()) {
      if (!read_element(view(key), member, statement, seen)) return false;
    }
    if (!check_statement(statement, seen)) return false;
    document_.statements.push_back(std::move(statement));
    return true;
  }

  // Which elements a statement has.
  struct Seen {
    bool effect = false, actions = false, resources = false, principals = false;
  };

  bool read_element(std::string_view name, const json::Value& value, Statement& to, Seen& seen) {
    if (!iam() && (name == "NotAction" || name == "NotResource" || name.ends_with("Principal"))) {
      return refuse({}, std::string(name) + " is not an element of AWS IoT policies");
    }
    if (name == "Sid") return read_sid(value, to.sid);
    if (name == "Effect") {
      seen.effect = true;
      return read_effect(value, to.effect);
    }
    if (name == "Action" || name == "NotAction") {
      to.actions.negated = name == "NotAction";
      return once(seen.actions, name) && read_texts(value, name, to.actions.patterns);
    }
    if (name == "Resource" || name == "NotResource") {
      to.resources.negated = name == "NotResource";
      return once(seen.resources, name) && read_texts(value, name, to.resources.patterns);
    }
    if (name == "Principal" || name == "NotPrincipal") {
      to.principals.negated = name == "NotPrincipal";
      return once(seen.principals, name) && read_principals(value, to.principals);
    }
    if (name == "Condition") return read_conditions(value, to.conditions);
    return refuse(syntax_errors, "unknown element " + quoted(name));
  }

  bool once(bool& seen, std::string_view name) {
    if (seen) return refuse(syntax_errors, std::string(name) + " beside its opposite");
    return seen = true;
  }

  bool read_text(const json::Value& value, std::string_view name, std::string& to) {
    if (!value.is_string()) return refuse(syntax_errors, std::string(name) + " must be a string");
    to = view(value.get_string());
    return true;
  }

  bool read_texts(const json::Value& value, std::string_view name, std::vector<std::string>& to) {
    if (value.is_string()) {
      to.emplace_back(view(value.get_string()));
      return true;
    }
    if (!value.is_array()) {
      return refuse(syntax_errors, std::string(name) + " must be a string or an array of them");
    }
    for (const json::Value& element : value.get_array()) {
      if (!read_text(element, name, to.emplace_back())) return false;
    }
    return true;
  }

  bool read_sid(const json::Value& value, std::string& to) {
    if (!read_text(value, "Sid", to)) return false;
    if (iam() && document_.kind == Kind::identity && !std::ranges::all_of(to, is_alnum)) {
      return refuse(
          "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the "
          "regular expression [0-9A-Za-z]*",
          "Sid " + quoted(to));
    }
    const bool twice = !to.empty() && std::ranges::count(document_.statements, to, &Statement::sid);
    if (!twice) return true;
    return refuse("Statement IDs (SID) in a single policy must be unique.",
                  "Sid " + quoted(to) + " is there twice");
  }

  bool read_effect(const json::Value& value, Effect& to) {
    std::string text;
    if (!read_text(value, "Effect", text)) return false;
    to = text == "Allow" ? Effect::allow : Effect::deny;
    if (text == "Allow" || text == "Deny") return true;
    const bool only_case = equal_ignoring_case(text, "allow") || equal_ignoring_case(text, "deny");
    return refuse(only_case ? legacy_parsing : syntax_errors,
                  "Effect " + quoted(text) + " must be Allow or Deny");
  }

  bool read_principals(const json::Value& value, PrincipalNames& to) {
    if (value.is_string() && view(value.get_string()) == "*") {
      to.names.push_back({PrincipalName::Kind::everyone, {}});
      return true;
    }
    if (!value.is_object() || value.get_object().empty()) {
      return refuse(syntax_errors,
                    "Principal must be \"*\" or an object of AWS, Service, Federated");
    }
    for (const auto& [key, member] : value.get_object()) {
      const std::string_view name = view(key);
      std::vector<std::string> texts;
      if (!read_texts(member, name, texts)) return false;
      if (texts.empty()) return refuse(syntax_errors, "Principal " + quoted(name) + " is empty");
      for (std::string& text : texts) {
        const auto principal = read_principal(name, text);
        if (!principal) {
          return refuse("Invalid principal in policy: " + quoted(name) + ":" + quoted(text),
                        "principal " + quoted(name) + ": " + quoted(text));
        }
        to.names.push_back(*principal);
      }
    }
    return true;
  }

  static std::optional<PrincipalName> read_principal(std::string_view kind, std::string& name) {
    using K = PrincipalName::Kind;
    const bool wild = name.find_first_of("*?$") != std::string::npos;
    if (kind == "AWS" && name == "*") return PrincipalName{K::everyone, {}};
    if (wild || name.empty()) return std::nullopt;
    if (kind == "Service") return PrincipalName{K::service, std::move(name)};
    if (kind == "Federated") return PrincipalName{K::federated, std::move(name)};
    if (kind != "AWS") return std::nullopt;  // CanonicalUser: there are none here
    const bool account = name.size() == 12 && std::ranges::all_of(name, is_digit);
    const auto arn = split_arn(name);
    const bool known = arn.size() == 6 && arn[0] == "arn" && (arn[2] == "iam" || arn[2] == "sts");
    if (!account && !known) return std::nullopt;
    return PrincipalName{K::aws, std::move(name)};
  }

  bool read_conditions(const json::Value& value, std::vector<Condition>& to) {
    if (!value.is_object()) return refuse(syntax_errors, "Condition must be an object");
    for (const auto& [key, member] : value.get_object()) {
      const std::string name(view(key));
      const auto op = find_operator(name);
      if (!op) return refuse(syntax_errors, "unknown condition operator " + quoted(name));
      if (!member.is_object()) return refuse(syntax_errors, name + " must be an object");
      for (const auto& [condition_key, values] : member.get_object()) {
        Condition& condition = to.emplace_back();
        condition.op = *op;
        condition.key = view(condition_key);
        if (condition.key.empty()) return refuse(syntax_errors, name + " has a key without a name");
        if (!read_values(values, name, condition)) return false;
      }
    }
    return true;
  }

  bool read_values(const json::Value& value, const std::string& name, Condition& to) {
    const auto read = [&](const json::Value& one) {
      const bool plain = one.is_string() || one.is_bool() || one.is_number();
      if (!plain) {
        return refuse(syntax_errors, name + " " + quoted(to.key) +
                                         " must be a string, a number, true or false, or an array");
      }
      to.values.push_back(one.is_string() ? std::string(view(one.get_string())) : json::write(one));
      return check_condition_value(name, to);
    };
    if (!value.is_array()) return read(value);
    return std::ranges::all_of(value.get_array(), read);
  }

  // The last value of `condition`. One with variables is known only when it is used.
  bool check_condition_value(const std::string& name, const Condition& condition) {
    const std::string& value = condition.values.back();
    const Comparison comparison = condition.op.comparison;
    if (takes_variables(comparison) && value.find("${") != std::string::npos) return true;
    const std::string_view why = check_value(comparison, value);
    if (why.empty()) return true;
    return refuse(legacy_parsing, name + " " + quoted(condition.key) + ": " + quoted(value) + ' ' +
                                      std::string(why));
  }

  bool check_statement(Statement& statement, const Seen& seen) {
    if (!seen.effect) return refuse(syntax_errors, "there is no Effect");
    if (statement.actions.patterns.empty()) {
      return refuse("Policy statement must contain actions.", "there is no Action");
    }
    if (has_principals() != seen.principals) {
      return has_principals() ? refuse("Missing required field Principal", "there is no Principal")
                              : refuse("Policy document should not specify a principal.",
                                       "a Principal is only for policies of resources");
    }
    if (document_.kind == Kind::trust) {
      if (seen.resources) return refuse("Has prohibited field Resource", "a role has no Resource");
      statement.resources.patterns = {"*"};
    } else if (statement.resources.patterns.empty()) {
      return refuse("Policy statement must contain resources.", "there is no Resource");
    }
    return std::ranges::all_of(statement.actions.patterns,
                               [&](const std::string& action) { return check_action(action); }) &&
           std::ranges::all_of(statement.resources.patterns,
                               [&](const std::string& name) { return check_resource(name); }) &&
           std::ranges::all_of(statement.conditions, [&](const Condition& condition) {
             return check_variables(condition);
           });
  }

  bool check_action(std::string_view action) {
    if (action == "*") {
      if (document_.kind != Kind::trust) return true;
      return refuse("AssumeRole policy may only specify STS AssumeRole actions.", "Action \"*\"");
    }
    const std::string what = "Action " + quoted(action);
    const std::size_t colon = action.find(':');
    if (colon == std::string_view::npos) {
      return refuse("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
                    what + " must be SERVICE:NAME");
    }
    if (action.find(':', colon + 1) != std::string_view::npos) {
      return refuse("Actions/Condition can contain only one colon.", what + " has two colons");
    }
    const std::string_view vendor = action.substr(0, colon), name = action.substr(colon + 1);
    const auto is_vendor = [](char c) { return is_alnum(c) || c == '-' || c == '.'; };
    if (vendor != "*" && (vendor.empty() || !std::ranges::all_of(vendor, is_vendor))) {
      return refuse("Vendor " + std::string(vendor) + " is not valid",
                    what + " names no valid service");
    }
    const auto is_name = [](char c) { return is_alnum(c) || c == '*' || c == '?' || c == '_'; };
    if (name.empty() || !std::ranges::all_of(name, is_name)) {
      return refuse(legacy_parsing, what + " has no valid name behind the colon");
    }
    if (document_.kind == Kind::trust && !equal_ignoring_case(vendor, "sts")) {
      return refuse("AssumeRole policy may only specify STS AssumeRole actions.", what);
    }
    return true;
  }

  // "*", or an ARN: six parts, fewer only where a `*` at the end stands for the others.
  bool check_resource(const std::string& resource) {
    const bool all = resource.find_first_not_of('*') == std::string::npos && !resource.empty();
    const auto parts = split_arn(resource);
    const bool arn = parts[0] == "arn" && (parts.size() == 6 || parts.back().ends_with('*'));
    if (!all && !arn) {
      if (iam()) {
        return refuse("Resource " + resource + " must be in ARN format or \"*\".",
                      "Resource " + quoted(resource));
      }
      return refuse({}, "The following resources are invalid : " + resource);
    }
    const auto split_up = split(resource, document_.resource_syntax());
    return split_up.ok() || refuse(legacy_parsing, split_up.error().message);
  }

  bool check_variables(const Condition& condition) {
    for (const std::string& value : condition.values) {
      const auto split_up = split(value, document_.value_syntax(condition.op.comparison));
      if (!split_up) return refuse(legacy_parsing, split_up.error().message);
    }
    return true;
  }

  Document document_;
  int statement_ = 0;  // the one that is read, from 1
  std::string error_;
};

}  // namespace

Result<Document> parse(std::string_view text, Dialect dialect, Kind kind) {
  Parser parser(dialect, kind);
  const std::size_t characters = count_characters(text);
  const std::size_t most = dialect == Dialect::iot ? limits::iot_policy_characters_max
                                                   : limits::iam_policy_characters_max;
  if (characters > most || text.size() > limits::policy_bytes_max) {
    return Error{Code::exhausted, "the policy document has " + std::to_string(characters) +
                                      " characters without white space; at most " +
                                      std::to_string(most) + " are allowed"};
  }
  constexpr json::Limits limits{.bytes_max = limits::policy_bytes_max, .depth_max = 8};
  const auto value = json::parse(text, limits);
  if (!value) {
    (void)parser.refuse(syntax_errors, value.error().message);
    return Error{Code::invalid, parser.error()};
  }
  return parser.parse(*value);
}

}  // namespace gnomon::policy
