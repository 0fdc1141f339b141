// What is known of a principal: policy variables and condition keys with their values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gnomon::policy {

// Names of keys compare without regard to case, but for what stands in brackets: thing attributes
// `iot:Connection.Thing.Attributes[a]` and `[A]` are two.
[[nodiscard]] bool same_key(std::string_view a, std::string_view b);

// Variables: a value, filled once and then shared by the policy sets that were compiled with it.
class Variables {
 public:
  struct Entry {
    std::string key;                  // "iot:ClientId", without `${` and `}`
    std::vector<std::string> values;  // several: a condition key, but no variable
  };

  // What was there under the key is replaced.
  void set(std::string_view key, std::string_view value);
  void set(std::string_view key, std::vector<std::string> values);
  // A field of a certificate, as "iot:Certificate.Subject.Organization", with its values in the
  // order of the certificate: KEY is the first, KEY.1 the second, KEY.List all. Beyond five
  // (limits::certificate_values_max) they are left out, and so is one that is too long. AWS IoT:
  // "X.509 certificate policy variables".
  void set_certificate_field(std::string_view key, const std::vector<std::string>& values);

  [[nodiscard]] const Entry* find(std::string_view key) const;
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

}  // namespace gnomon::policy
