#include "cli/tls_arguments.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace gnomon::cli {

namespace {

namespace fs = std::filesystem;

Result<std::string> read(const char* option, const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text;
  if (in.is_open()) text.assign(std::istreambuf_iterator<char>(in), {});
  std::error_code failed;
  if (!in.is_open() || in.bad() || fs::is_directory(file, failed)) {
    return Error{Code::unavailable, std::string(option) + ' ' + file + ": cannot be read"};
  }
  return text;
}

// All certificates of the files in a folder.
Result<std::string> read_folder(const std::string& folder) {
  std::error_code failed;
  std::string text;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    if (std::error_code none; !entry.is_regular_file(none)) continue;
    const auto file = read("--capath", entry.path().string());
    if (!file) return file.error();
    if (file->find("-----BEGIN CERTIFICATE-----") != std::string::npos) text += *file + '\n';
  }
  if (failed) return Error{Code::unavailable, "--capath " + folder + ": " + failed.message()};
  if (text.empty()) {
    return Error{Code::invalid, "--capath " + folder + ": no file in it is a certificate (PEM)"};
  }
  return text;
}

Result<std::string> authorities(const TlsArguments& given) {
  std::string text;
  if (given.cafile) {
    auto file = read("--cafile", *given.cafile);
    if (!file) return file.error();
    if (file->find("-----BEGIN ") == std::string::npos) {
      return Error{Code::invalid, "--cafile " + *given.cafile +
                                      ": is not PEM (openssl x509 -inform der makes it)"};
    }
    text = std::move(*file) + '\n';
  }
  if (!given.capath) return text;
  auto folder = read_folder(*given.capath);
  if (!folder) return folder.error();
  return text + *folder;
}

}  // namespace

void TlsArguments::declare(Arguments& arguments) {
  arguments.group("TLS");
  arguments.text("--cafile", "FILE", "Trust the authorities in this file (PEM)", cafile);
  arguments.text("--capath", "DIR", "Trust the authorities in the files of this folder", capath);
  arguments.flag("--tls-use-os-certs", os_certs, "Trust those of this machine: the default");
  arguments.text("--cert", "FILE", "The client's certificate, for mutual TLS (PEM)", cert);
  arguments.text("--key", "FILE", "Its key (PEM)", key);
  arguments.flag("--insecure", insecure,
                 "Do not check that the certificate is for this host; without --cafile, --capath "
                 "or --tls-use-os-certs do not check it at all");
  arguments.text("--tls-alpn", "PROTOCOL", "Ask for it by ALPN: mqtt, x-amzn-mqtt-ca", alpn);
}

std::string TlsArguments::wrong() const {
  if (cert.has_value() != key.has_value()) {
    return cert ? "--cert needs --key, the key of the certificate"
                : "--key needs --cert, the certificate of the key";
  }
  if (os_certs && (cafile || capath)) {
    return "only one of --tls-use-os-certs and --cafile, --capath says whom to trust";
  }
  return "";
}

Result<std::shared_ptr<const net::TlsConfig>> TlsArguments::config() const {
  net::TlsConfig::Client client;
  const bool names_authorities = cafile || capath || os_certs;
  client.verify = !insecure || names_authorities;
  client.verify_name = !insecure;
  auto trusted = authorities(*this);
  if (!trusted) return trusted.error();
  client.authorities = std::move(*trusted);
  if (alpn) client.protocols = {*alpn};
  auto made = net::TlsConfig::client(client);
  if (!made) {
    const std::string what = cafile ? "--cafile " + *cafile + ": " : std::string("TLS: ");
    return Error{made.error().code, what + made.error().message};
  }
  if (!cert) return made;
  auto certificates = read("--cert", *cert);
  if (!certificates) return certificates.error();
  auto its_key = read("--key", *key);
  if (!its_key) return its_key.error();
  client.certificates = std::move(*certificates);
  client.key = std::move(*its_key);
  made = net::TlsConfig::client(client);
  if (made) return made;
  return Error{made.error().code,
               "--cert " + *cert + ", --key " + *key + ": " + made.error().message};
}

std::string TlsArguments::explain(const client::Closed& why) const {
  using Kind = client::Closed::Kind;
  const auto says = [&](const char* text) { return why.message.find(text) != std::string::npos; };
  if (why.kind == Kind::untrusted && says(" is not for ")) {
    return why.message + "; connect by a name that it holds, or skip this check with --insecure";
  }
  if (why.kind == Kind::untrusted && (says("issuer") || says("self-signed"))) {
    return why.message + (cafile || capath ? "; is that the authority of this server?"
                                           : "; name the server's authority with --cafile");
  }
  if (why.kind == Kind::lost && says(" instead of answering") && !says("TLS")) {
    return why.message + "; is that a port for TLS? (--cafile, or mqtts:// in --url)";
  }
  const bool wants_certificate = says("certificate required") || says("handshake failure");
  if (why.kind == Kind::transport && wants_certificate && !cert) {
    return why.message + "; the server may want a certificate: --cert and --key";
  }
  return why.message;
}

}  // namespace gnomon::cli
