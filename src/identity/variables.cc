#include "identity/variables.h"

#include <string>
#include <utility>
#include <vector>

namespace gnomon::identity {

namespace {

using crypto::AlternativeName;
using crypto::Attribute;

constexpr std::string_view prefix = "iot:Certificate.";

constexpr std::pair<Attribute, std::string_view> parts[] = {
    {Attribute::distinguished_name_qualifier, "DistinguishedNameQualifier"},
    {Attribute::country, "Country"},
    {Attribute::organization, "Organization"},
    {Attribute::organizational_unit, "OrganizationalUnit"},
    {Attribute::state, "State"},
    {Attribute::common_name, "CommonName"},
    {Attribute::serial_number, "SerialNumber"},
    {Attribute::title, "Title"},
    {Attribute::surname, "Surname"},
    {Attribute::given_name, "GivenName"},
    {Attribute::initials, "Initials"},
    {Attribute::pseudonym, "Pseudonym"},
    {Attribute::generation_qualifier, "GenerationQualifier"},
};

constexpr std::pair<AlternativeName::Kind, std::string_view> kinds[] = {
    {AlternativeName::Kind::email, "RFC822Name"},
    {AlternativeName::Kind::dns, "DNSName"},
    {AlternativeName::Kind::directory, "DirectoryName"},
    {AlternativeName::Kind::uri, "UniformResourceIdentifier"},
    {AlternativeName::Kind::ip, "IPAddress"},
};

// Sets fields, and remembers which there are.
class Fields {
 public:
  explicit Fields(policy::Variables& variables) : variables_(variables) {}

  void set(const std::string& name, const std::vector<std::string>& values) {
    if (values.empty()) return;
    variables_.set_certificate_field(std::string(prefix) + name, values);
    available_.push_back(name);
  }
  void set(const std::string& side, const crypto::Name& name) {
    for (const auto& [attribute, key] : parts) {
      const auto values = name.all(attribute);
      set(side + '.' + std::string(key), std::vector<std::string>(values.begin(), values.end()));
    }
  }
  void set(const std::string& side, const std::vector<AlternativeName>& names) {
    for (const auto& [kind, key] : kinds) {
      std::vector<std::string> values;
      for (const AlternativeName& name : names) {
        if (name.kind == kind) values.push_back(name.value);
      }
      set(side + ".AlternativeName." + std::string(key), values);
    }
  }
  [[nodiscard]] std::vector<std::string> take() { return std::move(available_); }

 private:
  policy::Variables& variables_;
  std::vector<std::string> available_;
};

}  // namespace

void set_certificate(policy::Variables& variables, const crypto::Certificate& certificate) {
  variables.set("iot:CertificateId", certificate.id());
  Fields fields(variables);
  fields.set("SerialNumber", std::vector{certificate.serial()});
  fields.set("Subject", certificate.subject());
  fields.set("Issuer", certificate.issuer());
  fields.set("Subject", certificate.alternative_names());
  fields.set("Issuer", certificate.issuer_alternative_names());
  std::vector<std::string> available;
  for (std::string& name : fields.take()) available.push_back(std::string(prefix) + name);
  variables.set("iot:Certificate.AvailableKeys", std::move(available));
}

}  // namespace gnomon::identity
