#include "provisioning/waiting.h"

#include <utility>
#include <vector>

#include "base/limits.h"
#include "crypto/base64.h"
#include "provisioning/tables.h"
#include "registry/steps.h"

namespace gnomon::provisioning {

using registry::CertificateStatus;
using registry::Change;
using registry::Nothing;
using registry::Reply;

namespace {

constexpr std::string_view token_seal = "certificate ownership";
// More than one for each that comes, so that those of a burst go too.
constexpr std::size_t deleted_at_once = 3;

struct Due {
  std::string key, certificate_id;
};

std::vector<Due> due(Change& change) {
  std::vector<Due> found;
  const records::Key all = key(Table::waiting);
  const records::Key now = key(Table::waiting).number(static_cast<std::uint64_t>(change.now.ms));
  change.records.scan(all, now, [&](std::string_view at, std::string_view) {
    records::KeyReader parts(records::parts_of(at));
    parts.number();
    found.push_back({std::string(at), std::string(parts.rest())});
    return found.size() < deleted_at_once;
  });
  return found;
}

// A claim has expired, and nobody was provisioned with a certificate that still is pending. One
// that somebody uses by now, for things or otherwise, is left alone.
void remove(Change& change, const stored::Waiting& waiting, const std::string& certificate_id) {
  const auto there = registry::find_certificate(change, certificate_id);
  if (!there) return;
  if (!waiting.claim && there->status != CertificateStatus::pending_activation) return;
  if (there->status == CertificateStatus::active &&
      !registry::update_certificate(change, certificate_id, CertificateStatus::inactive))
    return;
  // Refused if a thing is attached; nothing was written then.
  static_cast<void>(registry::delete_certificate(change, certificate_id, true));
}

}  // namespace

Reply<Nothing> expect(Change& change, const std::string& certificate_id, WallTime until,
                      WaitsAs as) {
  const records::Key count_key = key(Table::waiting_count);
  auto count = registry::load<stored::WaitingCount>(change.records, count_key)
                   .value_or(stored::WaitingCount{});
  for (const Due& one : due(change)) {
    const auto waiting = registry::load<stored::Waiting>(change.records, one.key);
    if (!waiting) continue;  // somebody else deletes it
    remove(change, *waiting, one.certificate_id);
    change.records.erase(one.key);
    --count.certificates;
  }
  if (count.certificates >= limits::waiting_certificates_max) {
    return registry::Failure(
        registry::Kind::limit_exceeded,
        "There are " + std::to_string(count.certificates) +
            " certificates that no device has been provisioned with yet; try again later.");
  }
  ++count.certificates;
  registry::save(change.records, count_key, count);
  registry::save(change.records, waiting_key(until, certificate_id),
                 stored::Waiting{as == WaitsAs::claim});
  return Nothing{};
}

bool claim(Change& change, const std::string& certificate_id, WallTime until) {
  const records::Key at = waiting_key(until, certificate_id);
  const auto waiting = registry::load<stored::Waiting>(change.records, at);
  if (!waiting || waiting->claim) return false;
  change.records.erase(at);
  const records::Key count_key = key(Table::waiting_count);
  if (auto count = registry::load<stored::WaitingCount>(change.records, count_key)) {
    --count->certificates;
    registry::save(change.records, count_key, *count);
  }
  return true;
}

std::string write_token(const Provisioning& provisioning, const Ownership& ownership) {
  const std::string sealed =
      provisioning.sealer.seal(records::write(ownership), token_seal, provisioning.registry.random);
  return crypto::base64(as_bytes(sealed));
}

std::optional<Ownership> read_token(const Provisioning& provisioning, std::string_view token) {
  const auto sealed = crypto::from_base64(token);
  if (!sealed) return std::nullopt;
  const auto text = provisioning.sealer.open(*sealed, token_seal);
  Ownership ownership;
  if (!text || !records::read(*text, ownership)) return std::nullopt;
  return ownership;
}

}  // namespace gnomon::provisioning
