// gnomon ca: authorities of one's own, whose certificates let devices in.
#include <chrono>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include "base/json_text.h"
#include "base/log.h"
#include "base/random.h"
#include "cli/api_client.h"
#include "cli/authority_steps.h"
#include "cli/certificate_steps.h"
#include "cli/commands.h"
#include "cli/output_files.h"
#include "cli/table.h"
#include "crypto/issue.h"
#include "store/durable_file.h"

namespace gnomon::cli {

namespace {

constexpr std::chrono::milliseconds day = std::chrono::hours(24);
constexpr std::uint64_t days_max = 36'500;
constexpr std::size_t pem_bytes_max = 64 * KiB;

int fail(const char* command, const std::string& what) {
  std::cerr << command << ": " << what << '\n';
  return exit_failed;
}

struct Creation {
  std::string name, out;
  std::optional<int> days;
  bool force = false;
};

Result<void> create(const Creation& wanted) {
  const WallTime now{SystemWallClock().now().ms / 1000 * 1000};
  SystemRandom random;
  const auto authority = make_authority(
      wanted.name, now, wanted.days ? now + *wanted.days * day : crypto::far_end, random);
  if (!authority) return authority.error();
  const std::string path = wanted.out + '/' + wanted.name;
  const std::vector<OutputFile> files{{path + ".pem", authority->certificate.to_pem()},
                                      {path + ".key", authority->key.to_pem(), 0600}};
  if (!wanted.force) {
    if (auto absent = check_absent(files); !absent) return absent;
  }
  if (auto written = write_files(wanted.out, files); !written) return written;
  std::cout << "Authority " << authority->certificate.id() << "\n  " << wanted.name
            << ", valid until " << to_string(authority->certificate.not_after()).substr(0, 10)
            << '\n'
            << files[0].path << "  its certificate\n"
            << files[1].path << "  its key: who has it makes devices\n";
  return {};
}

int ca_create(Words words) {
  Creation wanted;
  Arguments arguments("gnomon ca create NAME --out DIR [--days N] [--force]",
                      "Makes an authority for devices: a key and a certificate that signs theirs. "
                      "A server takes it with \"gnomon ca register\".",
                      {"gnomon ca create factory --out ./factory"});
  arguments.text("NAME", "", "Its common name, and that of its files: 1 to 64 characters",
                 wanted.name);
  arguments.text("--out", "DIR", "Folder for NAME.pem and NAME.key; made if it is not there",
                 wanted.out);
  arguments.number("--days", "N", "Days it is valid; by default to the end of 2049", wanted.days, 1,
                   days_max);
  arguments.flag("--force", wanted.force, "Replace files that are there");
  if (const auto code = arguments.read(words)) return *code;
  if (wanted.name.empty()) return arguments.misuse("NAME is missing: the authority's name");
  if (wanted.name.find('/') != std::string::npos || wanted.name[0] == '.')
    return arguments.misuse("NAME \"" + wanted.name + "\" cannot be the name of a file");
  if (wanted.out.empty()) return arguments.misuse("--out is missing: the folder for the files");
  if (auto made = create(wanted); !made) return fail("gnomon ca create", made.error().message);
  return std::cout.flush() ? exit_done : exit_failed;
}

struct Registration {
  std::string certificate;
  std::optional<std::string> key, templ;
  bool auto_register = false, inactive = false;
};

Result<void> register_at(const ApiServer& server, const Registration& wanted) {
  const auto pem = store::read_file(wanted.certificate, pem_bytes_max);
  if (!pem) return pem.error();
  const auto certificate = crypto::Certificate::from_pem(*pem);
  if (!certificate)
    return Error{Code::invalid, wanted.certificate + ": " + certificate.error().message};
  std::optional<crypto::PrivateKey> key;
  if (wanted.key) {
    const auto text = store::read_file(*wanted.key, pem_bytes_max);
    if (!text) return text.error();
    auto read = crypto::PrivateKey::from_pem(*text);
    if (!read) return Error{Code::invalid, *wanted.key + ": " + read.error().message};
    key = std::move(*read);
    if (!(key->public_key() == certificate->public_key())) {
      return Error{Code::invalid,
                   *wanted.key + " is not the key of the certificate " + wanted.certificate};
    }
  }
  auto client = ApiClient::make(server);
  if (!client) return client.error();
  boost::json::object more{{"setAsActive", !wanted.inactive},
                           {"allowAutoRegistration", wanted.auto_register}};
  if (wanted.templ)
    more["registrationConfig"] = boost::json::object{{"templateName", *wanted.templ}};
  const auto made = register_authority(*client, *certificate, key, std::move(more));
  if (!made) return made.error();
  std::cout << "Authority " << text_of(*made, "certificateId") << "\n  "
            << certificate->subject().text << ", " << (wanted.inactive ? "INACTIVE" : "ACTIVE")
            << (wanted.auto_register ? ", its devices register themselves" : "") << '\n';
  return {};
}

int ca_register(Words words) {
  Registration wanted;
  ApiArguments api;
  Arguments arguments(
      "gnomon ca register FILE [--key FILE] [options]",
      "Registers an authority's certificate at a running server. Its key signs the proof that it "
      "is yours, here; without --key it is registered without one (SNI_ONLY).",
      {"gnomon ca register factory/factory.pem --key factory/factory.key --auto-register",
       "gnomon ca register factory/factory.pem --key factory/factory.key --auto-register "
       "--template lamps"});
  arguments.text("FILE", "", "The certificate, PEM", wanted.certificate);
  arguments.text("--key", "FILE", "Its key, PEM", wanted.key);
  arguments.flag("--auto-register", wanted.auto_register,
                 "Certificates that it has signed are registered when they come first");
  arguments.text("--template", "NAME",
                 "With --auto-register: the provisioning template that makes their things",
                 wanted.templ);
  arguments.flag("--inactive", wanted.inactive, "Not ACTIVE yet");
  api.declare(arguments, true);
  if (const auto code = arguments.read(words)) return *code;
  if (wanted.certificate.empty())
    return arguments.misuse("FILE is missing: the authority's certificate");
  if (wanted.templ && !wanted.auto_register)
    return arguments.misuse("--template goes with --auto-register");
  set_log_level(LogLevel::error);
  const auto server = api.find();
  if (!server) return fail("gnomon ca register", server.error().message);
  if (auto made = register_at(*server, wanted); !made)
    return fail("gnomon ca register", made.error().message);
  return std::cout.flush() ? exit_done : exit_failed;
}

Result<void> list_at(const ApiServer& server, bool as_json) {
  auto client = ApiClient::make(server);
  if (!client) return client.error();
  const auto all = list_all(*client, {"ListCACertificates", "certificates", "marker", "nextMarker"},
                            boost::json::object());
  if (!all) return all.error();
  Table table({"ID", "STATUS", "REGISTERS", "TEMPLATE", "SUBJECT"});
  for (const json::Value& each : *all) {
    const std::string id = text_of(each, "certificateId");
    const auto described = client->iot("DescribeCACertificate", {{"certificateId", id}});
    if (!described) return described.error();
    if (as_json) {
      std::cout << json::write(*described) << '\n';
      continue;
    }
    const json::Value& description = described->as_object().at("certificateDescription");
    const auto* config = described->as_object().if_contains("registrationConfig");
    const auto certificate = crypto::Certificate::from_pem(text_of(description, "certificatePem"));
    table.add({id.substr(0, 12), text_of(description, "status"),
               text_of(description, "autoRegistrationStatus") == "ENABLE" ? "yes" : "no",
               config == nullptr ? "" : text_of(*config, "templateName"),
               certificate ? certificate->subject().text : ""});
  }
  if (!as_json) table.print(std::cout);
  return {};
}

int ca_list(Words words) {
  ApiArguments api;
  bool as_json = false;
  Arguments arguments("gnomon ca list [options]",
                      "Lists the authorities that are registered at a running server.",
                      {"gnomon ca list", "gnomon ca list --json"});
  arguments.flag("--json", as_json, "Print JSON, an object a line");
  api.declare(arguments, true);
  if (const auto code = arguments.read(words)) return *code;
  set_log_level(LogLevel::error);
  const auto server = api.find();
  if (!server) return fail("gnomon ca list", server.error().message);
  if (auto listed = list_at(*server, as_json); !listed)
    return fail("gnomon ca list", listed.error().message);
  return std::cout.flush() ? exit_done : exit_failed;
}

}  // namespace

std::vector<std::string_view> ca_parts() { return {"create", "register", "list"}; }

int ca(Words words) {
  if (!words.empty() && words[0] == "create") return ca_create(words.subspan(1));
  if (!words.empty() && words[0] == "register") return ca_register(words.subspan(1));
  if (!words.empty() && words[0] == "list") return ca_list(words.subspan(1));
  Arguments arguments("gnomon ca create|register|list [options]",
                      "Authorities for devices: create makes one, register makes it known to a "
                      "running server, list tells those that are. Each has --help.",
                      {"gnomon ca create factory --out ./factory", "gnomon ca list"});
  if (const auto code = arguments.read(words)) return *code;
  return arguments.misuse("what to do is missing: create, register or list");
}

}  // namespace gnomon::cli
