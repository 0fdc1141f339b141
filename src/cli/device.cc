// gnomon device, gnomon device cert: certificates for devices, signed by the authority of a data
// folder.
#include "cli/device.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "cli/arguments.h"
#include "cli/output_files.h"
#include "crypto/issue.h"
#include "server/left_certificates.h"
#include "server/material.h"
#include "store/durable_file.h"

namespace gnomon::cli {

namespace {

constexpr std::chrono::milliseconds day = std::chrono::hours(24);
constexpr std::uint64_t days_max = 36'500;

struct Wanted {
  std::string name, out, data = "./gnomon-data";
  std::optional<int> days;
  bool force = false;
};

Result<crypto::Certificate> certify(const Wanted& wanted, const crypto::PrivateKey& key) {
  const auto authority = server::read_device_authority(wanted.data);
  if (!authority) return authority.error();
  const WallTime now{SystemWallClock().now().ms / 1000 * 1000};
  const WallTime end = authority->certificate.not_after();
  const WallTime until = wanted.days ? now + *wanted.days * day : end;
  if (until > end) {
    return Error{Code::invalid, "the authority for devices ends on " + to_string(end) +
                                    ", and no certificate may be valid for longer; give fewer "
                                    "--days"};
  }
  SystemRandom random;
  // From yesterday on: devices whose clock is slow use it too.
  return crypto::issue({crypto::Profile::device, wanted.name, {}, now + -day, until},
                       key.public_key(), *authority, random);
}

Result<void> make(const Wanted& wanted) {
  const auto key = crypto::PrivateKey::generate_ec_p256();
  const auto certificate = certify(wanted, key);
  if (!certificate) return certificate.error();
  const auto root = server::read_root(wanted.data);
  if (!root) return root.error();
  const std::string path = wanted.out + '/' + wanted.name;
  const std::vector<OutputFile> outputs{{path + ".key.pem", key.to_pem(), 0600, false},
                                        {path + ".cert.pem", certificate->to_pem(), 0644, false},
                                        {wanted.out + "/root-ca.pem", *root, 0644, true}};
  if (!wanted.force) {
    if (auto absent = check_absent(outputs); !absent) return absent;
  }
  if (auto written = write_files(wanted.out, outputs); !written) return written;
  // The server registers it when it connects first.
  if (auto left = server::leave_certificate(wanted.data, *certificate); !left) return left;
  std::cout << "Certificate " << certificate->id() << "\n  for " << wanted.name << ", valid until "
            << to_string(certificate->not_after()).substr(0, 10) << '\n'
            << outputs[1].path << "  its certificate\n"
            << outputs[0].path << "  its key, for nobody else\n"
            << outputs[2].path << "  what it trusts: the root of the server\n";
  return {};
}

}  // namespace

bool is_device_name(const std::string& name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == ':';
  };
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, allowed);
}

std::string wrong_device_name(const std::string& name) {
  if (name.empty()) return "NAME is missing: the name of the device";
  if (is_device_name(name)) return "";
  return "NAME \"" + name + "\": must be 1 to 64 of a-z A-Z 0-9 - _ : (a thing's name)";
}

int device_cert(Words words) {
  Wanted wanted;
  Arguments arguments(
      "gnomon device cert NAME --out DIR [--data DIR] [--days N] [--force]",
      "Makes a key and a certificate for the device NAME, signed by the data folder's own "
      "authority "
      "for devices. A server may be running on the folder.",
      {"gnomon device cert lamp-1 --out ./lamp-1",
       "gnomon device cert lamp-1 --out ./lamp-1 --data /var/lib/gnomon --days 365"});
  arguments.text("NAME", "", "Its name: 1 to 64 of a-z A-Z 0-9 - _ :", wanted.name);
  arguments.text("--out", "DIR",
                 "Folder for NAME.cert.pem, NAME.key.pem and root-ca.pem; made if it is not there",
                 wanted.out);
  arguments.text("--data", "DIR", "The data folder of the server; ./gnomon-data", wanted.data);
  arguments.number("--days", "N", "Days it is valid; by default as long as its authority",
                   wanted.days, 1, days_max);
  arguments.flag("--force", wanted.force, "Replace files that are there");
  if (const auto code = arguments.read(words)) return *code;
  if (const std::string wrong = wrong_device_name(wanted.name); !wrong.empty())
    return arguments.misuse(wrong);
  if (wanted.out.empty()) return arguments.misuse("--out is missing: the folder for the files");

  set_log_level(LogLevel::error);
  if (auto made = make(wanted); !made) {
    std::cerr << "gnomon device cert: " << made.error().message << '\n';
    return exit_failed;
  }
  return std::cout.flush() ? exit_done : exit_failed;
}

std::vector<std::string_view> device_parts() { return {"create", "delete", "cert"}; }

int device(Words words) {
  if (!words.empty() && words[0] == "create") return device_create(words.subspan(1));
  if (!words.empty() && words[0] == "delete") return device_delete(words.subspan(1));
  if (!words.empty() && words[0] == "cert") return device_cert(words.subspan(1));
  Arguments arguments("gnomon device create|delete|cert NAME [options]",
                      "Devices: create makes one at a running server, with all it needs to "
                      "connect; delete takes it back; cert makes a certificate alone, from the "
                      "data folder. Each has --help.",
                      {"gnomon device create lamp-1 --out ./lamp-1", "gnomon device delete lamp-1",
                       "gnomon device cert lamp-1 --out ./lamp-1"});
  if (const auto code = arguments.read(words)) return *code;
  return arguments.misuse("what to do is missing: create, delete or cert");
}

}  // namespace gnomon::cli
