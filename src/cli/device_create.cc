// gnomon device create, gnomon device delete: devices at a running server, over the AWS API.
#include <algorithm>
#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include "base/json_text.h"
#include "base/log.h"
#include "cli/api_client.h"
#include "cli/broker_address.h"
#include "cli/certificate_steps.h"
#include "cli/device.h"
#include "cli/output_files.h"
#include "cli/rollback.h"
#include "crypto/request.h"

namespace gnomon::cli {

namespace {

// What devices may do if nothing else is said: one policy for all, as each is itself in it.
constexpr const char* own_topics = "gnomon-own-topics";

struct Wanted {
  std::string name, out;
  std::optional<std::string> policy, host;
  bool force = false;
};

int fail(const char* command, const std::string& what) {
  std::cerr << command << ": " << what << '\n';
  return exit_failed;
}

// To connect as itself, also as NAME/…, and to use the topics NAME/… and $aws/things/NAME/….
// `prefix`: of ARNs, "arn:aws:iot:us-east-1:123456789012:".
std::string own_topics_document(const std::string& prefix) {
  const std::string thing = "${iot:Connection.Thing.ThingName}";
  const auto statement = [](std::string_view actions, const std::string& resources) {
    return R"({"Effect":"Allow","Action":)" + std::string(actions) + R"(,"Resource":)" + resources +
           '}';
  };
  const auto both = [&](const std::string& kind) {
    return "[\"" + prefix + kind + '/' + thing + "/*\",\"" + prefix + kind + "/$aws/things/" +
           thing + "/*\"]";
  };
  return R"({"Version":"2012-10-17","Statement":[)" +
         statement(R"("iot:Connect")", "[\"" + prefix + "client/" + thing + "\",\"" + prefix +
                                           "client/" + thing + "/*\"]") +
         ',' + statement(R"(["iot:Publish","iot:RetainPublish","iot:Receive"])", both("topic")) +
         ',' + statement(R"("iot:Subscribe")", both("topicfilter")) + "]}";
}

std::vector<OutputFile> files_of(const Wanted& wanted, const ApiServer& server,
                                 const runtime::Address& broker, const crypto::PrivateKey& key,
                                 const std::string& certificate) {
  const std::string folder = std::filesystem::absolute(wanted.out).lexically_normal().string();
  const std::string path = folder + (folder.ends_with('/') ? "" : "/");
  const std::string cert = path + wanted.name + ".cert.pem",
                    secret = path + wanted.name + ".key.pem", root = path + "root-ca.pem";
  // The members are the options of AWS's device SDK for JavaScript, version 1, and of most others.
  const std::string sdk =
      "{\n  \"host\": " + json_text(broker.host) + ",\n  \"port\": " + std::to_string(broker.port) +
      ",\n  \"clientId\": " + json_text(wanted.name) +
      ",\n  \"thingName\": " + json_text(wanted.name) + ",\n  \"certPath\": " + json_text(cert) +
      ",\n  \"keyPath\": " + json_text(secret) + ",\n  \"caPath\": " + json_text(root) + "\n}\n";
  const auto mosquitto = [&](const std::string& id) {
    return "-h " + broker.host + "\n-p " + std::to_string(broker.port) + "\n-i " + wanted.name +
           '/' + id + "\n--cafile " + root + "\n--cert " + cert + "\n--key " + secret + '\n';
  };
  return {{cert, certificate},
          {secret, key.to_pem(), 0600},
          {root, server.authorities, 0644, true},
          {path + wanted.name + ".json", sdk},
          {path + "mosquitto_pub", mosquitto("pub")},
          {path + "mosquitto_sub", mosquitto("sub")}};
}

// The steps of create; what they did is taken back when one fails.
class Creation {
 public:
  Creation(ApiClient& client, const Wanted& wanted) : client_(client), wanted_(wanted) {}

  Result<void> thing() {
    const json::Value thing{{"thingName", wanted_.name}};
    // CreateThing takes one that is there for its own.
    const auto there = client_.iot("DescribeThing", thing);
    if (there) {
      return Error{Code::conflict, "the thing " + wanted_.name +
                                       " exists already; \"gnomon device delete " + wanted_.name +
                                       "\" deletes it, with its certificates"};
    }
    if (there.error().code != Code::not_found) return there.error();
    return step("CreateThing", thing, [this, thing] { return client_.iot("DeleteThing", thing); });
  }
  // Signed by the server; the key stays here.
  Result<void> certificate(const crypto::PrivateKey& key) {
    const auto request = crypto::write_request(wanted_.name, key);
    if (!request) return request.error();
    const auto made = client_.iot("CreateCertificateFromCsr",
                                  {{"certificateSigningRequest", *request}, {"setAsActive", true}});
    if (!made) return made.error();
    arn_ = text_of(*made, "certificateArn");
    pem_ = text_of(*made, "certificatePem");
    rollback_.add([this] { return delete_certificate(client_, arn_); });
    return {};
  }
  // The policy for all stays, also when a later step fails.
  Result<void> policy() {
    const std::string name = wanted_.policy.value_or(own_topics);
    if (!wanted_.policy) {
      const std::string prefix = arn_.substr(0, arn_.rfind(':') + 1);
      const auto made = client_.iot(
          "CreatePolicy", {{"policyName", name}, {"policyDocument", own_topics_document(prefix)}});
      if (!made && made.error().code != Code::conflict) return made.error();
    }
    return step("AttachPolicy", {{"policyName", name}, {"target", arn_}}, {});
  }
  // Exclusively: then the device is the thing whatever its client id.
  Result<void> principal() {
    return step("AttachThingPrincipal",
                {{"thingName", wanted_.name},
                 {"principal", arn_},
                 {"thingPrincipalType", "EXCLUSIVE_THING"}},
                {});
  }
  void keep() { rollback_.forget(); }
  // The error with what could not be taken back.
  Error undone(Error why) {
    if (const std::string left = rollback_.run(); !left.empty())
      why.message += "; and not everything could be taken back: " + left;
    return why;
  }
  [[nodiscard]] const std::string& arn() const { return arn_; }
  [[nodiscard]] const std::string& pem() const { return pem_; }

 private:
  Result<void> step(std::string_view operation, const json::Value& input, Rollback::Step undo) {
    if (const auto done = client_.iot(operation, input); !done) return done.error();
    if (undo) rollback_.add(std::move(undo));
    return {};
  }
  ApiClient& client_;
  const Wanted& wanted_;
  Rollback rollback_;
  std::string arn_, pem_;
};

void print(const Wanted& wanted, const std::vector<OutputFile>& files,
           const runtime::Address& broker, const std::string& arn) {
  constexpr const char* meanings[] = {"its certificate",
                                      "its key, for nobody else",
                                      "what it trusts: the root of the server",
                                      "for AWS's device SDKs: host, port, client id, files",
                                      "options of mosquitto_pub",
                                      "options of mosquitto_sub"};
  std::cout << "Thing " << wanted.name << " at " << to_string(broker) << "\n  certificate " << arn
            << "\n  policy " << wanted.policy.value_or(own_topics) << '\n';
  for (std::size_t i = 0; i < files.size(); ++i)
    std::cout << files[i].path << "  " << meanings[i] << '\n';
  std::cout << "Try: XDG_CONFIG_HOME=" << wanted.out << " mosquitto_pub -t " << wanted.name
            << "/state -m on -q 1\n";
}

Result<void> create(const Wanted& wanted, const ApiServer& server) {
  if (server.authorities.empty()) {
    return Error{Code::invalid,
                 "--cafile is missing: the root certificate that the device is to trust"};
  }
  auto client = ApiClient::make(server);
  if (!client) return client.error();
  const auto broker = broker_address(*client, server, wanted.host);
  if (!broker) return broker.error();
  const auto key = crypto::PrivateKey::generate_ec_p256();
  if (!wanted.force) {
    const auto files = files_of(wanted, server, *broker, key, "");
    if (auto absent = check_absent(files); !absent) return absent;
  }
  Creation device(*client, wanted);
  for (const auto& step : std::initializer_list<std::function<Result<void>()>>{
           [&] { return device.thing(); }, [&] { return device.certificate(key); },
           [&] { return device.policy(); }, [&] { return device.principal(); }}) {
    if (auto done = step(); !done) return device.undone(done.error());
  }
  const auto files = files_of(wanted, server, *broker, key, device.pem());
  if (auto written = write_files(wanted.out, files); !written)
    return device.undone(written.error());
  device.keep();
  print(wanted, files, *broker, device.arn());
  return {};
}

Result<void> remove(const std::string& name, const ApiServer& server) {
  auto client = ApiClient::make(server);
  if (!client) return client.error();
  const auto principals =
      list_all(*client, {"ListThingPrincipals", "principals", "nextToken", "nextToken"},
               {{"thingName", name}});
  if (!principals) return principals.error();
  for (const json::Value& principal : *principals) {
    const std::string arn(principal.as_string());
    if (arn.find(":cert/") != std::string::npos) {
      if (auto gone = delete_certificate(*client, arn); !gone) return gone.error();
      std::cout << "Certificate " << arn << " deleted\n";
    } else if (auto gone =
                   client->iot("DetachThingPrincipal", {{"thingName", name}, {"principal", arn}});
               !gone) {
      return gone.error();
    }
  }
  if (auto gone = client->iot("DeleteThing", {{"thingName", name}}); !gone) return gone.error();
  std::cout << "Thing " << name << " deleted; its files are where they were\n";
  return {};
}

}  // namespace

int device_create(Words words) {
  Wanted wanted;
  ApiArguments api;
  Arguments arguments(
      "gnomon device create NAME --out DIR [options]",
      "Makes the device NAME at a running server: a thing, a certificate for a key that is made "
      "here, a policy; and the files with which it connects. When a step fails, those before it "
      "are taken back.",
      {"gnomon device create lamp-1 --out ./lamp-1",
       "gnomon device create lamp-1 --out ./lamp-1 --host edge.example:8883 --policy lamps"});
  arguments.text("NAME", "", "Its name: 1 to 64 of a-z A-Z 0-9 - _ :", wanted.name);
  arguments.text("--out", "DIR", "Folder for its files; made if it is not there", wanted.out);
  arguments.text("--policy", "NAME",
                 "A policy that exists; by default gnomon-own-topics, which is made if it is not "
                 "there: topics NAME/# and $aws/things/NAME/#",
                 wanted.policy);
  arguments.text("--host", "HOST[:PORT]",
                 "Where the device finds the server; what DescribeEndpoint tells, and 8883",
                 wanted.host);
  arguments.flag("--force", wanted.force, "Replace files that are there");
  api.declare(arguments, true);
  if (const auto code = arguments.read(words)) return *code;
  if (const std::string wrong = wrong_device_name(wanted.name); !wrong.empty())
    return arguments.misuse(wrong);
  if (wanted.out.empty()) return arguments.misuse("--out is missing: the folder for the files");
  set_log_level(LogLevel::error);
  const auto server = api.find();
  if (!server) return fail("gnomon device create", server.error().message);
  if (auto made = create(wanted, *server); !made)
    return fail("gnomon device create", made.error().message);
  return std::cout.flush() ? exit_done : exit_failed;
}

int device_delete(Words words) {
  std::string name;
  ApiArguments api;
  Arguments arguments("gnomon device delete NAME [options]",
                      "Deletes the thing NAME and its certificates at a running server: a device "
                      "that is connected is disconnected. Policies and files stay.",
                      {"gnomon device delete lamp-1"});
  arguments.text("NAME", "", "Its name: 1 to 128 of a-z A-Z 0-9 - _ :", name);
  api.declare(arguments, true);
  if (const auto code = arguments.read(words)) return *code;
  if (name.empty()) return arguments.misuse("NAME is missing: the name of the device");
  set_log_level(LogLevel::error);
  const auto server = api.find();
  if (!server) return fail("gnomon device delete", server.error().message);
  if (auto gone = remove(name, *server); !gone)
    return fail("gnomon device delete", gone.error().message);
  return std::cout.flush() ? exit_done : exit_failed;
}

}  // namespace gnomon::cli
