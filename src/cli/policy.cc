// gnomon policy: why somebody may do something, or may not.
#include <cstdint>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include "base/clock.h"
#include "base/log.h"
#include "cli/api_client.h"
#include "cli/commands.h"

namespace gnomon::cli {

namespace {

struct Question {
  std::optional<std::string> decision, principal, action, resource, client_id;
  std::vector<std::pair<std::string, std::string>> context;
  bool json = false;
};

// "KEY=VALUE" of --context; a key that is given twice has two values.
std::string take_context(const std::string& text, Question& question) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    return "must be KEY=VALUE, as aws:SourceIp=192.0.2.7";
  question.context.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  return {};
}

boost::json::object input_of(const Question& question) {
  boost::json::object input;
  for (const auto& [name, value] :
       {std::pair("decisionId", &question.decision), std::pair("principal", &question.principal),
        std::pair("action", &question.action), std::pair("resource", &question.resource),
        std::pair("clientId", &question.client_id)}) {
    if (*value) input[name] = **value;
  }
  boost::json::array context;
  for (const auto& [key, value] : question.context) {
    boost::json::object* same = nullptr;
    for (boost::json::value& entry : context)
      if (entry.at("key").as_string() == key) same = &entry.as_object();
    if (same == nullptr)
      same =
          &context.emplace_back(boost::json::object{{"key", key}, {"values", boost::json::array()}})
               .as_object();
    same->at("values").as_array().emplace_back(value);
  }
  if (!context.empty()) input["context"] = std::move(context);
  return input;
}

void print(const json::Value& answer) {
  const std::string decision = text_of(answer, "decisionId");
  if (!decision.empty()) {
    const auto seconds = answer.at("time").to_number<double>();
    const WallTime at{static_cast<std::int64_t>(seconds * 1000)};
    std::cout << "Decision " << decision << " of " << to_string(at) << '\n';
  }
  std::cout << "Principal " << text_of(answer, "principal");
  const std::string client_id = text_of(answer, "clientId");
  if (!client_id.empty()) std::cout << ", client id " << client_id;
  std::cout << '\n' << text_of(answer, "text");
  if (const auto* left_out = answer.as_object().if_contains("statementsLeftOut"))
    std::cout << *left_out << " more statements were not remembered\n";
}

Result<void> explain_at(const ApiServer& server, const Question& question) {
  auto client = ApiClient::make(server);
  if (!client) return client.error();
  const auto answer = client->call("gnomon", "ExplainPolicy", input_of(question));
  if (!answer) return answer.error();
  if (question.json) {
    std::cout << json::write(*answer) << '\n';
  } else {
    print(*answer);
  }
  return {};
}

int policy_explain(Words words) {
  Question question;
  ApiArguments api;
  Arguments arguments(
      "gnomon policy explain DECISION | --principal WHO --action ACTION [options]",
      "Tells what policies decide, and why: of a connection that was refused, by the decision that "
      "the log names, or of anybody, any action and any resource.",
      {"gnomon policy explain 3f9a0c27d11b",
       "gnomon policy explain --principal user/anna --action iot:Publish --resource lamp/state",
       "gnomon policy explain --principal arn:aws:iam::123456789012:user/Ann "
       "--action iot:CreateThing"});
  arguments.text("DECISION", "", "The id of a decision, as a refused connection's log line has it",
                 question.decision);
  arguments.text("--principal", "WHO",
                 "A certificate (ARN or id), local, user/NAME, what else IoT policies can be "
                 "attached to; or the ARN of an IAM user, role or role's session",
                 question.principal);
  arguments.text("--action", "ACTION", "As policies name it: iot:Connect", question.action);
  arguments.text("--resource", "ARN",
                 "Its ARN; of a device's actions the client id, topic or filter will do. Without "
                 "it: of iot:Connect the client id, else *",
                 question.resource);
  arguments.text("--client-id", "ID", "The client id that a device connects with",
                 question.client_id);
  arguments.options("--context", "KEY=VALUE",
                    "A condition key and its value; may be given several times",
                    [&](const std::string& text) { return take_context(text, question); });
  arguments.flag("--json", question.json, "Print JSON, one object");
  api.declare(arguments, true);
  if (const auto code = arguments.read(words)) return *code;
  const bool asks = question.principal || question.action || question.resource ||
                    question.client_id || !question.context.empty();
  if (question.decision && asks)
    return arguments.misuse("DECISION is already about somebody: it goes without options of that");
  if (!question.decision && !(question.principal && question.action))
    return arguments.misuse("DECISION, or --principal and --action, must say what to explain");
  set_log_level(LogLevel::error);
  const auto server = api.find();
  const auto done = server ? explain_at(*server, question) : Result<void>(server.error());
  if (!done) {
    std::cerr << "gnomon policy explain: " << done.error().message << '\n';
    return exit_failed;
  }
  return std::cout.flush() ? exit_done : exit_failed;
}

}  // namespace

std::vector<std::string_view> policy_parts() { return {"explain"}; }

int policy(Words words) {
  if (!words.empty() && words[0] == "explain") return policy_explain(words.subspan(1));
  Arguments arguments("gnomon policy explain [options]",
                      "What policies decide, and why. explain has --help.",
                      {"gnomon policy explain 3f9a0c27d11b"});
  if (const auto code = arguments.read(words)) return *code;
  return arguments.misuse("what to do is missing: explain");
}

}  // namespace gnomon::cli
